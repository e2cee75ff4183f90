"""The trace id of a followed stanza, as a child of the stanza: for streams that carry only XML."""

from __future__ import annotations

import re

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import PROBE
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza

MAX_ID_CHARACTERS = 64
"""It becomes part of each hop in the journal, and anybody may send one."""

PROBE_PAYLOAD = f"{PROBE} probe"
PROBER = "trace-"
"""The resources of the clients of `xmpplab trace` begin with this."""
SENDER = "send-"
"""The resources of the clients of `xmpplab send` begin with this."""

_PROBE = re.compile(
    rf"""<probe xmlns=(['"]){PROBE}\1 id=(['"])([^'"<&\s]{{1,{MAX_ID_CHARACTERS}}})\2/>"""
    r"(?=</(?:message|presence)>$)".encode()
)

TRACE_PAYLOAD = f"{PROBE} trace"
"""What a server adds to a stanza that is followed, for another server of ours."""
_TRACE = re.compile(
    f"(<trace xmlns=['\"]{PROBE}['\"] id=(?:'[^'<]*'|\"[^\"<]*\")( empty='true')?/>)(</(?:message|presence)>)$".encode()
)
"""`empty`: the stanza had an empty-element tag."""


def probe_id(stanza: Stanza) -> str:
    """The trace id in the stanza; empty if it has none."""
    if PROBE_PAYLOAD not in stanza.payloads:
        return ""
    if (plain := _plain_probe(stanza)) is not None:
        return plain[3].decode()
    probe = stanza.tree.find(f"{{{PROBE}}}probe")
    return (probe.get("id") or "")[:MAX_ID_CHARACTERS] if probe is not None else ""


def _plain_probe(stanza: Stanza) -> re.Match[bytes] | None:
    """The place of its only probe where that is its last child, as nearly always: the bytes tell without a tree."""
    payloads = stanza.payloads
    if payloads[-1] != PROBE_PAYLOAD or payloads.count(PROBE_PAYLOAD) > 1:
        return None
    return _PROBE.search(stanza.raw)


def as_followed(stanza: Stanza) -> Stanza:
    """The stanza with the trace id that it brings with it, if it brings one."""
    id = probe_id(stanza)
    return msgspec.structs.replace(stanza, trace_id=id) if id else stanza


def is_of_prober(message: Element) -> bool:
    """Whether a client of `xmpplab trace` sent this message, or gets it as the answer to a probe.

    Other messages may have a trace id too, such as a text of a phone while `xmpplab watch` follows everything.
    """
    if message.find(f"{{{PROBE}}}probe") is None:
        return False
    return any(message.get(end, "").partition("/")[2].startswith(PROBER) for end in ("from", "to"))


def without_probe(stanza: Stanza) -> Stanza:
    """The stanza without any probe."""
    if PROBE_PAYLOAD not in stanza.payloads:
        return stanza
    if (plain := _plain_probe(stanza)) is not None:
        raw = stanza.raw[: plain.start()] + stanza.raw[plain.end() :]
        return msgspec.structs.replace(stanza, raw=raw, payloads=stanza.payloads[:-1])
    tree = stanza.tree
    for probe in tree.findall(f"{{{PROBE}}}probe"):
        tree.remove(probe)
    payloads = tuple(name for name in stanza.payloads if name != PROBE_PAYLOAD)
    return msgspec.structs.replace(stanza, raw=xml.serialize(tree), payloads=payloads)


def with_probe(stanza: Stanza) -> Stanza:
    """The stanza with a probe for its trace id, unless it is not followed or has a probe already.

    An iq stays unchanged: it must not have a second child (RFC 6120 section 8.2.3).
    """
    return _with_last(stanza, "probe")


def with_trace(stanza: Stanza) -> Stanza:
    """As `with_probe`, for a server that takes the id away again: see `without_trace`."""
    return _with_last(stanza, "trace")


def without_trace(stanza: Stanza) -> Stanza:
    """The stanza as it was before `with_trace`, and followed; one with a probe is followed too."""
    payloads = stanza.payloads
    if not payloads or payloads[-1] != TRACE_PAYLOAD:
        return as_followed(stanza)
    found = _TRACE.search(stanza.raw)
    if found is None:  # written otherwise: it stays
        return stanza
    before = stanza.raw[: found.start()]
    raw = before[:-1] + b"/>" if found[2] else before + found[3]
    id = xml.parse(found[1]).get("id", "")[:MAX_ID_CHARACTERS]
    return msgspec.structs.replace(stanza, raw=raw, payloads=payloads[:-1], trace_id=id)


def _with_last(stanza: Stanza, name: str) -> Stanza:
    if not stanza.trace_id or stanza.kind == "iq" or PROBE_PAYLOAD in stanza.payloads:
        return stanza
    raw, end = stanza.raw, f"</{stanza.kind}>".encode()
    child = f"<{name} xmlns='{PROBE}' id={quoteattr(stanza.trace_id)}".encode()
    if raw.endswith(end):
        raw = raw[: -len(end)] + child + b"/>" + end
    elif raw.endswith(b"/>"):
        raw = raw[:-2] + b">" + child + (b" empty='true'/>" if name == "trace" else b"/>") + end
    else:  # white space in the end tag
        tree = stanza.tree
        tree.append(Element(f"{{{PROBE}}}{name}", id=stanza.trace_id))
        raw = xml.serialize(tree)
    return msgspec.structs.replace(stanza, raw=raw, payloads=(*stanza.payloads, f"{PROBE} {name}"))
