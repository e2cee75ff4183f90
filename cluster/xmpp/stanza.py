"""Stanzas (RFC 6120 section 8): a header that is parsed once, and the bytes as they came."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.namespaces import CLIENT, LEGACY_AUTH, REGISTER, STANZA_ERRORS, XML
from cluster.xmpp.quoting import quoteattr

Kind = Literal["message", "presence", "iq"]

MAX_BYTES = FROM_CLIENT.max_bytes
MAX_ERROR_TEXT = 1_024
"""Characters: a text may quote the peer's input."""
_WITH_PASSWORDS = frozenset({f"{REGISTER} query", f"{LEGACY_AUTH} query"})
"""Payloads that are not returned with an error (XEP-0077 section 3.3, XEP-0078 section 3.1)."""


class Stanza(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One stanza: immutable, cheap to pass on, with a tree only for a handler that asks for one.

    msgspec encodes it for links. `raw` has `to` as the sender wrote it, and `from_` as the server stamped it (RFC 6120
    section 8.1.2.1).
    """

    kind: Kind
    to: Jid | None
    from_: Jid | None
    id: str | None
    type: str | None
    """As written; None where absent. The default differs by kind (message: normal, presence: available)."""
    payloads: tuple[str, ...]
    """`namespace name` of each child element, in order; only the name if it has no namespace."""
    raw: bytes
    trace_id: str = ""
    """Key of this stanza's hops in the journal; empty if it is not followed. Next to the XML, never in it."""

    @property
    def tree(self) -> Element:
        """A new tree of the stanza on each call; changing it does not change the stanza."""
        return xml.parse(self.raw)

    @property
    def as_written(self) -> Stanza:
        """The stanza with the id, type and payloads that its bytes have. Over a link, those are only its sender's word,
        which others than its receiver must not have to trust."""
        tree = self.tree
        return msgspec.structs.replace(self, id=tree.get("id"), type=tree.get("type"), payloads=payload_names(tree))

    def is_payload(self, namespace: str, name: str) -> bool:
        """Whether the stanza has this child."""
        return f"{namespace} {name}" in self.payloads

    def payload(self) -> Element:
        """The child of an iq request (RFC 6120 section 8.2.3). Raises StanzaError if it does not have exactly one."""
        children = list(self.tree)
        if len(children) != 1:
            raise StanzaError(Condition.BAD_REQUEST, "an iq request has exactly one child element")
        return children[0]

    def redirected(self, to: Jid) -> Stanza:
        """The same stanza for another address."""
        tree = self.tree
        tree.set("to", str(to))
        return msgspec.structs.replace(self, to=to, raw=xml.serialize(tree))

    def reply(self, *payload: Element) -> Stanza:
        """The result of an iq request (RFC 6120 section 8.2.3)."""
        return make("iq", to=self.from_, from_=self.to, id=self.id, type="result", payload=payload)

    def error(self, error: StanzaError) -> Stanza:
        """The error stanza that answers this one (RFC 6120 section 8.3.1).

        With the original, unless that is secret, cannot be carried, or is with the error larger than a client could
        send.
        """
        child = _error_element(error)
        is_refused_whole = error.condition is Condition.POLICY_VIOLATION
        is_secret = bool(_WITH_PASSWORDS.intersection(self.payloads))
        if not is_secret and not is_refused_whole and len(self.raw) < MAX_BYTES:
            whole = self._answered_by(*self.tree, child)
            if len(whole.raw) <= MAX_BYTES:
                return whole
        return self._answered_by(child)

    def _answered_by(self, *payload: Element) -> Stanza:
        return make(self.kind, to=self.from_, from_=self.to, id=self.id, type="error", payload=payload)

    def as_error_alone(self, error: StanzaError) -> Stanza:
        """The replacement for an answer (`type` result or error) that is too large: the requester waits for one."""
        child = _error_element(error_of(self) if self.type == "error" else error)
        return make(self.kind, to=self.to, from_=self.from_, id=self.id, type="error", payload=(child,))

    @property
    def may_be_answered_with_error(self) -> bool:
        """False for errors and results, which are never answered (RFC 6120 sections 8.2.3 and 8.3.1)."""
        return self.type not in ("error", "result")


@lru_cache(maxsize=16_384)
def opening(kind: str, from_: Jid) -> bytes:
    """The beginning of each stanza with a verified sender: `<kind from="…"`, so that a reader can check it cheaply."""
    return f"<{kind} from={quoteattr(str(from_))}".encode()


@lru_cache(maxsize=16_384)
def to_attribute(to: Jid) -> bytes:
    """The address of a receiver as `addressed` splices it in."""
    return f" to={quoteattr(str(to))}".encode()


def addressed(stanza: Stanza, to: Jid) -> Stanza:
    """The copy for one receiver of a stanza whose bytes have no `to`: the address is inserted after the sender's.

    For many receivers: `copies.Copies`.
    """
    assert stanza.from_ is not None
    start = len(opening(stanza.kind, stanza.from_))
    raw = stanza.raw[:start] + to_attribute(to) + stanza.raw[start:]
    return msgspec.structs.replace(stanza, to=to, raw=raw)


def make(
    kind: Kind,
    *,
    to: Jid | None = None,
    from_: Jid | None = None,
    id: str | None = None,
    type: str | None = None,
    payload: tuple[Element, ...] | list[Element] = (),
) -> Stanza:
    """A new stanza of the server or the client itself."""
    tree = Element(f"{{{CLIENT}}}{kind}")  # `from` first: see `opening`
    for name, value in (("from", from_), ("to", to), ("id", id), ("type", type)):
        if value is not None:
            tree.set(name, str(value))
    tree.extend(payload)
    return Stanza(kind, to, from_, id, type, payload_names(payload), xml.serialize(tree))


def payload_names(children: Iterable[Element]) -> tuple[str, ...]:
    """`Stanza.payloads` of these child elements."""
    return tuple(" ".join(xml.split(child.tag)).lstrip() for child in children)


def _error_element(error: StanzaError) -> Element:
    child = Element(f"{{{CLIENT}}}error", {"type": error.type, **({"by": error.by} if error.by else {})})
    SubElement(child, f"{{{STANZA_ERRORS}}}{error.condition}")
    if error.text:
        text = SubElement(child, f"{{{STANZA_ERRORS}}}text", {f"{{{XML}}}lang": "en"})
        text.text = error.text if len(error.text) <= MAX_ERROR_TEXT else f"{error.text[: MAX_ERROR_TEXT - 1]}…"
    if error.detail != "":
        child.append(Element(error.detail) if isinstance(error.detail, str) else error.detail)
    return child


def error_of(stanza: Stanza) -> StanzaError:
    """The error in an error stanza; `undefined-condition` if it has no condition of the RFC."""
    child = stanza.tree.find(f"{{{CLIENT}}}error")
    if child is None:
        return StanzaError(Condition.UNDEFINED_CONDITION)
    names = {grandchild.tag for grandchild in child}
    known = (condition for condition in Condition if f"{{{STANZA_ERRORS}}}{condition}" in names)
    condition = next(known, Condition.UNDEFINED_CONDITION)
    text = xml.text_of(child, f"{{{STANZA_ERRORS}}}text") or ""
    try:
        return StanzaError(condition, text, ErrorType(child.get("type", "")))
    except ValueError:
        return StanzaError(condition, text)
