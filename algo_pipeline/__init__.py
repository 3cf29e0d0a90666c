"""Algo Trade Pipeline: leakage-free research, exact backtests and paper trading of hourly crypto bars."""
