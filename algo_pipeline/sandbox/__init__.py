"""A local server that speaks the venues' protocols, with a clock and faults of its own."""
