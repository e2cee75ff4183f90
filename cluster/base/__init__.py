"""What every package may use: clocks, the end of a reactor turn, what has settled, backoff, rates and units."""
