"""Alpaca on 127.0.0.1: a server of its API and its stream over a venue in memory, and the rehearsal that runs on it.

Nothing of the platform knows of it but the command that starts it: to everything else it is Alpaca at another address.
"""
