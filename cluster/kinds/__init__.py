"""The kinds of nodes that a lab can have: one kind, one file, and this folder is the registry."""
