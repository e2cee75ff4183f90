"""What every process of a lab runs on: its reactor, its clock, its log."""
