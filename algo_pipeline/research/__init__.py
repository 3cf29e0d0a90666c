"""Dataset, walk-forward splits, training, evaluation, statistics and promotion rules."""
