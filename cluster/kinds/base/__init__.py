"""What kinds are made of: the nodes of a plan, keys of the topology file and their values. It knows no kind."""
