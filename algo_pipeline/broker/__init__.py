"""Alpaca paper, the only place where orders can go."""
