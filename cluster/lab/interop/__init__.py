"""What works between servers of two kinds, tried by clients at both: a grid of scenarios."""
