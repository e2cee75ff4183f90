"""Does the lab keep its promises? A scenario is run against it, and what became of every message is told."""
