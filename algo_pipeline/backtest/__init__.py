"""The exact event-driven backtest, its slow reference, metrics and reports."""
