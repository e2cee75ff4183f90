"""Checks a domain of the lab from outside: as another server, and as a client that connects for the first time."""
