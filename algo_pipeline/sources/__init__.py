"""Market-data adapters, one venue or medium each."""
