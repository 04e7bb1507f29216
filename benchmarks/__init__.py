"""Benchmarks: `python -m benchmarks`, or `make bench`. What they measure and what came out is in docs/benchmarks.md.

Each measures the provider and what it is compared with side by side, in one run and on the same simulator, and prints
ratios: absolute figures of somebody else's machine say little.
"""
