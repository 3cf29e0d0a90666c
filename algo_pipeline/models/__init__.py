"""Classifiers and calibrators behind one interface, and the scorer shared by research and live trading."""
