"""Sessions of clients: bound by streams, persisted, resumed, recovered after a crash."""
