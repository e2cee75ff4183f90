"""Runs a lab in containers: the same plan, on a Docker engine."""
