"""A read-only page of live trading, its static copy, and figures for Prometheus."""
