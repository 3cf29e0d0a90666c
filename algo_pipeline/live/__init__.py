"""The hourly decision and its order: journal first, one intent, at most one order, whatever dies."""
