"""The driver that runs a lab in containers: the same plan, on a Docker engine."""
