"""The id by which a message is known that could arrive twice (XEP-0359)."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache
from hashlib import blake2b
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.stanza import Stanza

_NAMESPACE = STANZA_ID.encode()
_ELEMENT = f"{{{STANZA_ID}}}stanza-id"
_PAYLOAD = f"{STANZA_ID} stanza-id"
_END = b"</message>"
_ADDED = re.compile(rb"<stanza-id xmlns='urn:xmpp:sid:0' by=(?:\"[^\"]*\"|'[^']*') id=\"([^\"]*)\"/></message>\Z")


class StanzaIds:
    """Ids for what came over a link: the same for the same place there, and to be guessed by nobody.

    XEP-0313 section 3 and XEP-0359 section 3 want that of an archive's ids.
    """

    def __init__(self, secret: bytes) -> None:
        """`secret`: up to 64 bytes that all processes of the domain know, now and later, and nobody else."""
        self._secret = secret

    def __call__(self, place: str) -> str:
        """The id (RFC 7693 section 2.9: BLAKE2b with a key, a third of what HMAC costs)."""
        return blake2b(place.encode(), key=self._secret, digest_size=16).hexdigest()


@lru_cache(maxsize=16_384)
def _opening(by: Jid) -> bytes:
    return f"<stanza-id xmlns='{STANZA_ID}' by={quoteattr(str(by))} id=\"".encode()


def with_stanza_id(message: Stanza, id: str, own: Set[str], by: Jid | None = None) -> Stanza:
    """The message with `<stanza-id by='…' id='…'/>`; those that claim to be of one of our `own` domains are removed.

    `id`: of letters, digits, `-`, `.` and `:`. `by`: the account that gives the id; its receiver's where it is None,
    then `to` is not None. Another domain's id stays. XEP-0359 section 6 (security considerations).
    """
    raw, payloads = message.raw, message.payloads
    # The bytes are looked at, since the header is only the sender's word; "&#" could spell the namespace.
    if _NAMESPACE in raw or (b"&" in raw and b"&#" in raw) or not raw.endswith((_END, b"/>")):
        raw, payloads = _without_claims_of(own, message)
    if by is None:
        assert message.to is not None
        by = message.to.bare
    raw = raw[: -len(_END)] if raw.endswith(_END) else raw[:-2] + b">"
    raw = b'%b%b%b"/></message>' % (raw, _opening(by), id.encode())
    return Stanza(
        message.kind, message.to, message.from_, message.id, message.type, (*payloads, _PAYLOAD), raw, message.trace_id
    )


def without_claims(message: Stanza, own: Set[str]) -> Stanza:
    """The message without stanza-ids that claim to be of one of our `own` domains (XEP-0359 section 3)."""
    raw, payloads = _without_claims_of(own, message)
    return msgspec.structs.replace(message, raw=raw, payloads=payloads)


def stanza_id(message: Stanza) -> str | None:
    """The id that `with_stanza_id` added, as long as nothing was added since; None where there is none."""
    found = _ADDED.search(message.raw)
    return found[1].decode() if found else None


def is_marked(message: Stanza) -> bool:
    """It has the id that its receiver's domain gives it, by `with_stanza_id`."""
    found = _ADDED.search(message.raw)
    return (
        found is not None
        and message.to is not None
        and message.raw.startswith(_opening(message.to.bare), found.start())
    )


def _without_claims_of(own: Set[str], message: Stanza) -> tuple[bytes, tuple[str, ...]]:
    tree = message.tree
    for child in tree.findall(_ELEMENT):
        if _is_of(own, child.get("by", "")):
            tree.remove(child)
    names = tuple(" ".join(xml.split(child.tag)).lstrip() for child in tree)
    return xml.serialize(tree), names


def _is_of(own: Set[str], by: str) -> bool:
    try:
        return Jid.parse(by).domainpart in own
    except JidError:
        return True  # nobody's: it can only mislead
