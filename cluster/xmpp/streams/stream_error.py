"""The XML of a stream error (RFC 6120 section 4.9.2), on every kind of stream."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import STREAM_ERRORS, STREAMS, XML


def written(error: StreamError) -> bytes:
    """The `<stream:error/>` for the peer."""
    child = Element(f"{{{STREAMS}}}error")
    SubElement(child, f"{{{STREAM_ERRORS}}}{error.condition}")
    if error.text:
        SubElement(child, f"{{{STREAM_ERRORS}}}text", {f"{{{XML}}}lang": "en"}).text = error.text
    if error.detail is not None:
        child.append(error.detail)
    return xml.serialize(child)
