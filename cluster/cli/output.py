"""JSON output of the commands; the types here define its form (docs/json.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cluster.lab.api import BadInput

Format = Annotated[Literal["text", "json"], typer.Option("--format", help="Output for people or for programs.")]


def print_json(value: Any) -> None:
    """Print a document, with control characters of its texts escaped for the terminal."""
    import msgspec

    from cluster.trace.terminal import safe_json

    print(safe_json(msgspec.json.format(msgspec.json.encode(value)).decode()))


def check_writable(file: Path) -> None:
    """Check before the run that a file can be written. Raises BadInput."""
    is_new = not file.exists()
    try:
        file.open("ab").close()
        if is_new:
            file.unlink()
    except OSError as error:
        raise BadInput(f"cannot write {file}: {error.strerror}; name another file") from None
