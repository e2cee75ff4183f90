"""The protocol core: bytes and events. No I/O, no clock, no randomness; callers pass those in."""
