"""The work of a node for the other nodes of its domain."""
