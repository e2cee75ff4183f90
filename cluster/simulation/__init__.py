"""The whole network of a topology in one process and in virtual time; `cluster.simulation.api` is the door to it."""
