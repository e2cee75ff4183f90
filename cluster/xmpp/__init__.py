"""The protocol core: bytes and events. No I/O, no clock, no randomness; whoever runs it passes those in."""
