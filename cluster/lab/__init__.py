"""Labs: brought up and down, looked at, disturbed and used; `cluster.lab.api` is the door to them."""

from typing import Literal

DriverKind = Literal["process", "docker"]
"""What runs a lab: processes of this machine, or containers."""
