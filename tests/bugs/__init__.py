"""Bugs that are put into the servers on purpose, one at a time, and which of them a run of the fault matrix finds."""
