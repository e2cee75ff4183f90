"""A grid of scenarios: what works between servers of two kinds, tested by clients of both."""
