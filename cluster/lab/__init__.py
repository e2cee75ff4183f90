"""Labs: how to start, watch, disturb and use them; `cluster.lab.api` is the interface for all callers."""

from typing import Literal

DriverKind = Literal["process", "docker"]
"""What runs a lab: processes of this machine, or containers."""
