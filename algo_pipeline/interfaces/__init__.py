"""Abstract base classes of the parts that can be exchanged."""
