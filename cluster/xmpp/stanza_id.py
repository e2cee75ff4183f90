"""Ids of messages: those of an archive (XEP-0359), and marks of messages that may arrive twice."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache
from hashlib import blake2b

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import DELIVERY, STANZA_ID
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza, opening, payload_names, to_attribute

_NAMESPACE = STANZA_ID.encode()
_ELEMENT = f"{{{STANZA_ID}}}stanza-id"
_PAYLOAD = f"{STANZA_ID} stanza-id"
_MARK_PAYLOAD = f"{DELIVERY} delivery"
_MARK_ELEMENT = f"{{{DELIVERY}}}delivery"
_MARK = f"<delivery xmlns='{DELIVERY}' id=\"".encode()
CLAIMS = frozenset((_PAYLOAD, _MARK_PAYLOAD))
"""Payloads in which a client may claim what only its server may say: see `without_claims`."""
_DELIVERY = DELIVERY.encode()
_LAST = re.compile(rb"<stanza-id xmlns='urn:xmpp:sid:0' by='([^'\"<>&]*)' id='[^'\"<>&]*'/></message>$")
"""How rooms of ours and others write it, from its beginning to the end of the message."""
_AMPERSAND = ord("&")
_END = b"</message>"
_ID_END = b'"/></message>'


_DIGEST_BYTES = 16


class StanzaIds:
    """Ids for messages from a link: the same for the same place there, and unpredictable for everybody.

    XEP-0313 section 3 and XEP-0359 section 3 demand that of an archive's ids.
    """

    def __init__(self, secret: bytes) -> None:
        """`secret`: up to 64 bytes that all processes of the domain know, now and later, and nobody else."""
        self._keyed = blake2b(key=secret, digest_size=_DIGEST_BYTES)

    def __call__(self, place: str) -> str:
        """The id (RFC 7693 section 2.9: BLAKE2b with a key, at a third of the cost of HMAC)."""
        keyed = self._keyed.copy()
        keyed.update(place.encode())
        return keyed.hexdigest()

    def of_sent(self, message: Stanza, sm_id: str, number: int) -> str:
        """The id for the message of this number on a client's stream: the same if the client sends it again because the
        server did not tell that it was handled (XEP-0198 section 5). It has the length of a random one.

        A client that does not, and sends another message in its place, gives that another id or another length; of a
        message without an id, all bytes count.
        """
        keyed = self._keyed.copy()
        keyed.update(f"session {sm_id}:{number} {len(message.raw)} {message.id or ''}".encode())
        if not message.id:
            keyed.update(message.raw)
        return keyed.hexdigest()[:_DIGEST_BYTES]


def is_of_place(id: str) -> bool:
    """Whether it is the id of a place, so that what it names is read again after a crash. Other ids have other
    lengths."""
    return len(id) == 2 * _DIGEST_BYTES


def is_marked(message: Stanza) -> bool:
    """Whether `marked` made it, if it is of this domain: a client's own claims are removed."""
    return message.payloads[-1:] == (_MARK_PAYLOAD,)


@lru_cache(maxsize=16_384)
def _opening(by: Jid) -> bytes:
    return f"<stanza-id xmlns='{STANZA_ID}' by={quoteattr(str(by))} id=\"".encode()


def marked(message: Stanza, id: str, own: Set[str]) -> Stanza:
    """A message from a link, or from another node, with `<delivery id='…'/>` as its last child.

    `id`: that of `StanzaIds` for its place. Stanza-ids in the name of our `own` domains are removed from the message.
    The mark is not a stanza-id, because clients take that for the id of an archived message (XEP-0313 section 3.5).
    """
    return with_mark(_unclaimed(message, own), id)


def with_mark(message: Stanza, id: str) -> Stanza:
    """The same for a message of a client of this domain, which has no claims: see `without_claims`."""
    return _with_last(message, _MARK, id, _MARK_PAYLOAD)


def arrived(message: Stanza, id: str, domain: Jid, own: Set[str]) -> Stanza:
    """A message that came to `domain` from elsewhere: `marked`, unless it is for a component.

    Components recognise copies by a stanza-id of the domain (XEP-0359), which no client takes for one of its own
    archive.
    """
    to = message.to
    if to is None or to.domainpart == domain.domainpart:
        return marked(message, id, own)
    return with_stanza_id(_unclaimed(message, own), id, domain)


def with_stanza_id(message: Stanza, id: str, by: Jid) -> Stanza:
    """The message with `<stanza-id by='…' id='…'/>` as its last child.

    `id`: of letters, digits, `-`, `.` and `:`. `by`: the address that assigns it. The message has no other stanza-id of
    that address: see `marked` and `without_claims` (XEP-0359 section 3).
    """
    return _with_last(message, _opening(by), id, _PAYLOAD)


def with_id_of_mark(message: Stanza, by: Jid) -> Stanza | None:
    """The message with a stanza-id in place of its mark, with the same id.

    None if it has no mark, or something was added since.
    """
    raw, payloads = message.raw, message.payloads
    start = _start_of_id(raw, _MARK) if payloads[-1:] == (_MARK_PAYLOAD,) else 0
    if not start:
        return None
    raw = b"".join((raw[: start - len(_MARK)], _opening(by), raw[start:]))
    return Stanza(
        message.kind, message.to, message.from_, message.id, message.type, (*payloads[:-1], _PAYLOAD), raw,
        message.trace_id,
    )  # fmt: skip


def stanza_id(message: Stanza, by: Jid) -> str | None:
    """The id that `with_stanza_id` added, if nothing was added since; otherwise None."""
    start = _start_of_id(message.raw, _opening(by)) if message.payloads[-1:] == (_PAYLOAD,) else 0
    return message.raw[start : -len(_ID_END)].decode() if start else None


def _with_last(message: Stanza, begin: bytes, id: str, payload: str) -> Stanza:
    raw = message.raw
    if raw.endswith(_END):
        raw = raw[: -len(_END)]
    elif raw.endswith(b"/>"):
        raw = raw[:-2] + b">"
    else:  # white space in the end tag
        return _with_last(msgspec.structs.replace(message, raw=xml.serialize(message.tree)), begin, id, payload)
    raw = b"".join((raw, begin, id.encode(), _ID_END))
    return Stanza(
        message.kind, message.to, message.from_, message.id, message.type, (*message.payloads, payload), raw,
        message.trace_id,
    )  # fmt: skip


def _start_of_id(raw: bytes, begin: bytes) -> int:
    """The place of the id in a last child with this beginning; 0 if there is none."""
    start = raw.rfind(b'"', 0, -len(_ID_END)) + 1
    return start if raw.endswith(_ID_END) and raw.endswith(begin, 0, start) else 0


def without_claims(message: Stanza, own: Set[str]) -> Stanza:
    """The message without marks, and without stanza-ids that claim to be of an `own` domain (XEP-0359 section 6)."""
    raw, payloads = _without_claims_of(own, message)
    return msgspec.structs.replace(message, raw=raw, payloads=payloads)


def _unclaimed(message: Stanza, own: Set[str]) -> Stanza:
    """The same for a message of a link, whose header is only the sender's word, so that the bytes are checked."""
    raw = message.raw
    # "&#" could spell the namespace; a number is found several times as fast as bytes are
    if raw.find(_NAMESPACE) < 0 and not (_AMPERSAND in raw and b"&#" in raw):
        return message
    return message if _has_plain_id(message, own) else without_claims(message, own)


def _has_plain_id(message: Stanza, own: Set[str]) -> bool:
    """The one stanza-id is plainly somebody else's, as in the messages of rooms, whose copies are checked once."""
    raw = message.raw
    if message.payloads[-1:] != (_PAYLOAD,):
        return False
    if message.from_ is not None and message.to is not None:
        addresses = opening("message", message.from_) + to_attribute(message.to)
        if raw.startswith(addresses):
            return _has_plain_id_behind(raw[len(addresses) :], frozenset(own))
    return _has_plain_id_behind(raw, frozenset(own))


@lru_cache(maxsize=1)
def _has_plain_id_behind(raw: bytes, own: frozenset[str]) -> bool:
    """The same for all that follows the addresses."""
    found = _LAST.search(raw)
    if found is None or raw.count(_NAMESPACE) != 1 or _DELIVERY in raw or b"&#" in raw:
        return False
    return not _is_of(own, found[1].decode())


def _without_claims_of(own: Set[str], message: Stanza) -> tuple[bytes, tuple[str, ...]]:
    tree = message.tree
    for child in [*tree]:
        if child.tag == _MARK_ELEMENT or (child.tag == _ELEMENT and _is_of(own, child.get("by", ""))):
            tree.remove(child)
    return xml.serialize(tree), payload_names(tree)


def _is_of(own: Set[str], by: str) -> bool:
    try:
        return Jid.parse(by).domainpart in own
    except JidError:
        return True  # of nobody: it can only mislead
