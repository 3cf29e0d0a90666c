"""A loopback HTTP server that speaks the venues' wire formats, for the real client libraries to talk to."""
