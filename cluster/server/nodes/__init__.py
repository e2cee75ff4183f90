"""What the nodes of one domain do for each other."""
