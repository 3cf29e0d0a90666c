"""Benchmarks: each prints one table of medians and ratios, measured side by side in one run."""
