"""The transport of stanzas from one domain to another: the port, in memory, by Redis streams, and by XML streams."""
