"""From probability to order intent: the scalar rules used by backtests and live trading alike."""
