"""The parts of kinds: the nodes of a plan, keys of the topology file and their values. No kind is named here."""
