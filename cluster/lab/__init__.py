"""Brings a plan up and down: processes, addresses, certificates, Redis, and the state folder."""
