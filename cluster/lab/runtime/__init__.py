"""The basis of every process of a lab: its reactor, its clock, its log."""
