"""What the commands have in common that let the user be one of the people of a foreign network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ask = Callable[[str, dict[str, Any]], Any]
"""Asks the network: a verb and its arguments. Raises Refused."""


class Refused(Exception):
    """The network did not do it; the message says why."""
