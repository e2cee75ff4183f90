"""JSON output of the commands; the types here define its form (docs/json.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

Format = Annotated[Literal["text", "json"], typer.Option("--format", help="Output for people or for programs.")]


def print_json(value: Any) -> None:
    """Print a document, with control characters of its texts escaped for the terminal."""
    import msgspec

    from cluster.trace.terminal import safe_json

    print(safe_json(msgspec.json.format(msgspec.json.encode(value)).decode()))
