"""The algo-pipeline command: parse, call, render."""
