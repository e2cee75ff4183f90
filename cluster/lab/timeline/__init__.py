"""The time line of a lab: a row for each second in which it ran, and marks for what was done to it."""
