"""The id by which a message is known that could arrive twice (XEP-0359)."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.stanza import Stanza

_NAMESPACE = STANZA_ID.encode()
_ELEMENT = f"{{{STANZA_ID}}}stanza-id"
_PAYLOAD = f"{STANZA_ID} stanza-id"
_END = b"</message>"


def with_stanza_id(message: Stanza, id: str, domain: str) -> Stanza:
    """The message with `<stanza-id by='(its bare to)' id='…'/>`; those that claim to be of `domain` are removed.

    XEP-0359 section 6 (security considerations). Another domain's id stays. `to` is not None.
    """
    raw, payloads = message.raw, message.payloads
    # The bytes are looked at, since the header is only the sender's word; "&#" could spell the namespace.
    if _NAMESPACE in raw or b"&#" in raw or not raw.endswith((_END, b"/>")):
        raw, payloads = _without_claims_of(domain, message)
    by = quoteattr(str(message.to.bare)) if message.to else ""
    added = f"<stanza-id xmlns='{STANZA_ID}' by={by} id={quoteattr(id)}/></message>".encode()
    raw = (raw[: -len(_END)] if raw.endswith(_END) else raw[:-2] + b">") + added
    return Stanza(
        message.kind, message.to, message.from_, message.id, message.type, (*payloads, _PAYLOAD), raw, message.trace_id
    )


def _without_claims_of(domain: str, message: Stanza) -> tuple[bytes, tuple[str, ...]]:
    tree = message.tree
    for child in tree.findall(_ELEMENT):
        if _is_of(domain, child.get("by", "")):
            tree.remove(child)
    names = tuple(" ".join(xml.split(child.tag)).lstrip() for child in tree)
    return xml.serialize(tree), names


def _is_of(domain: str, by: str) -> bool:
    try:
        domainpart = Jid.parse(by).domainpart
    except JidError:
        return True  # nobody's: it can only mislead
    return domainpart == domain or domainpart.endswith(f".{domain}")
