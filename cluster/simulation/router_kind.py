"""The two backbones of a simulation, by the names that people give them."""

from __future__ import annotations

from typing import Literal

RouterKind = Literal["memory", "redis"]
"""What carries between domains and nodes, and stores: objects in memory; or as in a lab, with a simulated Redis."""
