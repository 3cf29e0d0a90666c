"""Adapters to the model registry and to the deployed champion bundle."""
