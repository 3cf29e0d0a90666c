"""Pure market-data code: indicators, features, labels and the merging of bars."""
