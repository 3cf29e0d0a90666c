"""Dagster definitions; the only package, with definitions.py, that knows Dagster."""
