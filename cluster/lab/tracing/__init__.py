"""Following stanzas through a lab: its journal, probes, and why a probe waits."""
