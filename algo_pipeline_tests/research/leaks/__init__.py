"""Seeded leaks: what people really do wrong, injected one at a time into an otherwise clean pipeline."""
