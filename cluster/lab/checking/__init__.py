"""What a stranger meets at a domain of the lab: another server, or a client that comes for the first time."""
