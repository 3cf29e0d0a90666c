"""Proofs of the live half's promises, at a length that no test suite has time for: ``make prove``."""
