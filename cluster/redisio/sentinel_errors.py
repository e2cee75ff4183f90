"""What Sentinels refuse, in words: for servers (`sentinel`), and for commands, which import no Twisted."""

from __future__ import annotations

from collections.abc import Sequence


def unknown_service(service: str, known: Sequence[str]) -> str:
    """The message for a service that a Sentinel does not know, but others."""
    return f"no master has the name {service!r}, but {', '.join(sorted(known)) or 'none is watched'}"


def refused(where: str, error: str) -> str:
    """The message for the error reply of a Sentinel."""
    is_login = error.startswith(("NOAUTH", "WRONGPASS"))
    return f"{where} refuses the login" if is_login else f"{where} says: {error}"
