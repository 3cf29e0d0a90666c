"""Dagster definitions; the only package, with definitions.py, that knows Dagster."""

import warnings

import dagster as dg

# Partitioned asset checks are marked as a preview; the definitions are tested against the pinned version.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
