"""The time loop of simulation.py, compiled: for searches over many configurations, where only the outcome is kept.

Money is whole micro-dollars and shares are whole numbers, so that it ends with the same digits as the Decimal ledger;
what it cannot express that way it refuses, and the object loop takes over. The only part that imports numba.
"""
