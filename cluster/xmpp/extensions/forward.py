"""Stanza Forwarding (XEP-0297): a stanza within another, as bytes and without a tree."""

from __future__ import annotations

import re

from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.namespaces import CLIENT, DELAY, FORWARD
from cluster.xmpp.stanza import Stanza

_OPENING_TAG = re.compile(rb"<[a-z]+(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")
_DECLARATION = f" xmlns='{CLIENT}'".encode()
_BEGIN = f"<forwarded xmlns='{FORWARD}'>".encode()
_END = b"</forwarded>"


def forwarded(stanza: Stanza, came_utc_s: float | None = None) -> bytes:
    """The `<forwarded>` element around an unchanged stanza, with the time when it came (section 3.2)."""
    delay = b"" if came_utc_s is None else _delay(came_utc_s)
    return b"".join((_BEGIN, delay, _with_namespace(stanza), _END))


def _delay(came_utc_s: float) -> bytes:
    return f"<delay xmlns='{DELAY}' stamp='{timestamp.to_text(came_utc_s)}'/>".encode()


def _with_namespace(stanza: Stanza) -> bytes:
    """Section 3.2: the stanza declares its namespace, otherwise it would be that of `<forwarded>`."""
    raw = stanza.raw
    opening = _OPENING_TAG.match(raw)
    if opening is None or b"xmlns" in opening.group():
        return xml.serialize(stanza.tree, inherited=FORWARD)
    name_end = 1 + len(stanza.kind)
    return raw[:name_end] + _DECLARATION + raw[name_end:]
