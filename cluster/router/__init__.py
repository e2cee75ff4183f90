"""How a stanza crosses from one domain to another: the port, in memory, and by Redis streams."""
