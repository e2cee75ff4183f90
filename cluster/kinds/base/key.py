"""A key of the topology file that only one kind of node has."""

from __future__ import annotations

from typing import Any, NamedTuple


class Key(NamedTuple):
    """The topology builds its sections, its schema and its key tables from these."""

    name: str
    type: Any
    """Of the value: `int`, or a type of values.py; a `list[…]` or `dict[…, …]` of these may be empty; or `Sections`."""
    meaning: str
    """A sentence for the reference, in Markdown."""
    default: Any


class Sections(NamedTuple):
    """The type of a key whose value is sections by their names."""

    name: str
    """The name of a section in the schema."""
    about: str
    """A sentence for the reference, in Markdown."""
    named: Any
    """The type of the names."""
    keys: tuple[Key, ...]
    """Of each section."""
