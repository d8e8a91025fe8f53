"""Benchmarks that a user can run: each measures a thing beside what bounds it, because a ratio outlives a machine."""
