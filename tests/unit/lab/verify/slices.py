"""Stanzas as a client's parser cuts them out of its stream."""

from __future__ import annotations

from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser


def slice_of(raw: str) -> Slice:
    """The one stanza that this is."""
    found: list[StreamHeader | Slice | StreamEnd] = []
    StreamParser().feed(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>{raw}".encode(), found)
    _, child = found
    assert isinstance(child, Slice)
    return child
