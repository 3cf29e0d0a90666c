"""Tests to inherit for a model, strategy, label or feature set of your own."""
