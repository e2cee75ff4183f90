"""Sessions of clients: bound to streams, persisted, resumed, recovered after a crash."""
