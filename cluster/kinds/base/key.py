"""A key of the topology file that one kind of node has and others have not."""

from __future__ import annotations

from typing import Any, NamedTuple


class Key(NamedTuple):
    """The topology makes its sections, its schema and its key tables of these."""

    name: str
    type: Any
    """Of what is written: `int`, or one of values.py; `list[…]` and `dict[…, …]` of these may be left empty; or
    `Sections`."""
    meaning: str
    """A sentence for the reference, in Markdown."""
    default: Any


class Sections(NamedTuple):
    """The type of a key behind which sections stand by their names."""

    name: str
    """What one is called in the schema."""
    about: str
    """A sentence for the reference, in Markdown."""
    named: Any
    """The type of the names."""
    keys: tuple[Key, ...]
    """Of each section."""
