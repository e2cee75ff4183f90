"""Brings a plan up and down: processes, addresses, certificates, Redis, and the state folder."""

from typing import Literal

DriverKind = Literal["process", "docker"]
"""What runs a lab: processes of this machine, or containers."""
