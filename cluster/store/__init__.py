"""What a domain remembers: the port, in memory, and in Redis."""
