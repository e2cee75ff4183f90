"""The trace id of a followed stanza, as a child of the stanza: for streams that carry only XML."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import PROBE
from cluster.xmpp.stanza import Stanza

MAX_ID_CHARACTERS = 64
"""It becomes part of each hop in the journal, and anybody may send one."""

PROBE_PAYLOAD = f"{PROBE} probe"

PROBER = "trace-"
"""The resources of the clients of `xmpplab trace` begin with this."""


def probe_id(stanza: Stanza) -> str:
    """The trace id in the stanza; empty if it has none."""
    if PROBE_PAYLOAD not in stanza.payloads:
        return ""
    probe = stanza.tree.find(f"{{{PROBE}}}probe")
    return (probe.get("id") or "")[:MAX_ID_CHARACTERS] if probe is not None else ""


def is_of_prober(message: Element) -> bool:
    """Whether a client of `xmpplab trace` sent this message, or gets it as the answer to a probe.

    Other messages may have a trace id too, such as a text of a phone while `xmpplab watch` follows everything.
    """
    if message.find(f"{{{PROBE}}}probe") is None:
        return False
    return any(message.get(end, "").partition("/")[2].startswith(PROBER) for end in ("from", "to"))


def without_probe(stanza: Stanza) -> Stanza:
    """The stanza without any probe."""
    tree = stanza.tree
    for probe in tree.findall(f"{{{PROBE}}}probe"):
        tree.remove(probe)
    payloads = tuple(name for name in stanza.payloads if name != PROBE_PAYLOAD)
    return msgspec.structs.replace(stanza, raw=xml.serialize(tree), payloads=payloads)


def with_probe(stanza: Stanza) -> Stanza:
    """The stanza with a probe for its trace id, unless it is not followed or has a probe already.

    An iq stays unchanged: it must not have a second child (RFC 6120 section 8.2.3).
    """
    if not stanza.trace_id or stanza.kind == "iq" or PROBE_PAYLOAD in stanza.payloads:
        return stanza
    raw, end = stanza.raw, f"</{stanza.kind}>".encode()
    probe = f"<probe xmlns='{PROBE}' id={quoteattr(stanza.trace_id)}/>".encode()
    if raw.endswith(end):
        raw = raw[: -len(end)] + probe + end
    elif raw.endswith(b"/>"):
        raw = raw[:-2] + b">" + probe + end
    else:  # white space in the end tag
        tree = stanza.tree
        tree.append(Element(f"{{{PROBE}}}probe", id=stanza.trace_id))
        raw = xml.serialize(tree)
    return msgspec.structs.replace(stanza, raw=raw, payloads=(*stanza.payloads, PROBE_PAYLOAD))
