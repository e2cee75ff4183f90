"""Requests to a running node: whether it is ready, and to do something."""
