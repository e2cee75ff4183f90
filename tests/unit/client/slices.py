"""What comes on a stream, as a client has it."""

from __future__ import annotations

from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.parser import Slice, StreamParser


def slices(raw: str) -> list[Slice]:
    """The children of a stream."""
    found: list[object] = []
    StreamParser().feed(f"<s:stream xmlns='{CLIENT}' xmlns:s='{STREAMS}'>{raw}".encode(), found)
    return [each for each in found if isinstance(each, Slice)]
