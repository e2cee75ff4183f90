"""Virtual time and a network of hosts in it, as reactors of Twisted: no socket, no thread, no wall clock, one seed."""
