"""The storage of a domain: the port, in memory, and in Redis."""
