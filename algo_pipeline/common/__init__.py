"""Building blocks every other package rests on: types, errors, time, storage, settings, logging."""
