"""The elements of the extensible SASL profile (XEP-0388), with Bind 2 (XEP-0386) and tokens (XEP-0484)."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import BIND2, FAST, SASL2, SM
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import escape
from cluster.xmpp.streams import sm
from cluster.xmpp.streams.events import InlineBind, Nonza, ResumeRequested, TokenWanted
from cluster.xmpp.streams.sasl import SaslCondition, SaslError, encode
from cluster.xmpp.streams.sm import StreamManagement

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_COUNT = re.compile(r"[0-9]{1,10}")
_TRUE = ("1", "true")


class TokenUse(msgspec.Struct, frozen=True):
    """`<fast/>`: the login is by token (XEP-0484 section 3.4)."""

    count: int | None
    """Increased by the client with each use of the token; None if it does not say."""
    invalidates: bool


class Authenticate(msgspec.Struct, frozen=True):
    """`<authenticate>` (XEP-0388 section 2.3)."""

    mechanism: str
    initial: str | None
    """The initial response in base64; None if there is none."""
    agent: str
    """Id of the client's installation, a UUID; empty if it does not say."""
    resume: ResumeRequested | None
    bind: InlineBind | None
    token: TokenWanted | None
    """It wants a token."""
    use: TokenUse | None


class Opened(msgspec.Struct, frozen=True):
    """What a client has got together with its login."""

    jid: Jid | None = None
    """The full JID; None if no resource is bound yet."""
    resumed: StreamManagement | None = None
    """Of the stream that goes on."""
    refusal: Condition | None = None
    """Why the former stream cannot be resumed."""
    h: int | None = None
    """What was handled on that stream, if it is known."""
    is_managed: bool = False
    """The stanzas of the new session are counted (XEP-0198)."""
    bound: bytes = b""
    """The content of `<bound/>`."""
    token: tuple[str, float] | None = None
    """A new token, and the end of its validity in seconds since the epoch."""


def read(child: Slice, features: Collection[str], tokens: Collection[str]) -> Authenticate:
    """`features`: namespaces that a bind may ask for; `tokens`: mechanisms for them. What cannot be had is left out: a
    login does not fail for it. Raises SaslError.
    """
    tree = xml.parse(child.raw)
    agent = _agent(tree)
    initial = tree.find(f"{{{SASL2}}}initial-response")
    return Authenticate(
        child.attributes.get("mechanism", ""),
        None if initial is None else initial.text or "",
        agent,
        _resume(tree.find(f"{{{SM}}}resume")),
        _bind(tree.find(f"{{{BIND2}}}bind"), agent, features),
        _token(tree.find(f"{{{FAST}}}request-token"), agent, tokens),
        _use(tree.find(f"{{{FAST}}}fast")),
    )


def _agent(tree: Element) -> str:
    element = tree.find(f"{{{SASL2}}}user-agent")
    id = "" if element is None else element.get("id", "").lower()
    if id and not _UUID4.fullmatch(id):
        raise _malformed("the id of a user agent is a UUID of version 4")
    return id


def _resume(element: Element | None) -> ResumeRequested | None:
    if element is None:
        return None
    try:
        return ResumeRequested(element.get("previd", ""), sm.read_count(element.get("h")))
    except ValueError as error:
        raise _malformed(str(error)) from None


def _bind(element: Element | None, agent: str, features: Collection[str]) -> InlineBind | None:
    if element is None:
        return None
    wanted: dict[str, Nonza] = {}
    for each in element:
        namespace, name = xml.split(each.tag)
        if namespace in features:
            wanted.setdefault(f"{namespace} {name}", Nonza(f"{namespace} {name}", dict(each.attrib)))
    return InlineBind(xml.text_of(element, f"{{{BIND2}}}tag") or "", agent, tuple(wanted.values()))


def _token(element: Element | None, agent: str, tokens: Collection[str]) -> TokenWanted | None:
    """Some clients ask for one without the id that it would be for (XEP-0484 section 4.1)."""
    mechanism = "" if element is None else element.get("mechanism", "")
    return TokenWanted(agent, mechanism) if agent and mechanism in tokens else None


def _use(element: Element | None) -> TokenUse | None:
    if element is None:
        return None
    count = element.get("count")
    if count is not None and not _COUNT.fullmatch(count):
        raise _malformed(f"count={count!r} is no count")
    return TokenUse(None if count is None else int(count), element.get("invalidate") in _TRUE)


def _malformed(text: str) -> SaslError:
    return SaslError(SaslCondition.MALFORMED_REQUEST, text)


def success(account: Jid, data: str | bytes, opened: Opened) -> bytes:
    """`<success>` (XEP-0388 section 2.6.1); `data`: of the mechanism."""
    parts = [f"<success xmlns='{SASL2}'>".encode()]
    if data:
        parts.append(f"<additional-data>{encode(data)}</additional-data>".encode())
    who = escape(str(opened.jid or account))
    parts.append(f"<authorization-identifier>{who}</authorization-identifier>".encode())
    if opened.resumed is not None:
        parts.append(sm.resumed(opened.resumed))
    elif opened.refusal is not None:
        parts.append(sm.failed(opened.refusal, opened.h))
    if opened.jid is not None and opened.resumed is None:
        parts.append(f"<bound xmlns='{BIND2}'>".encode() + opened.bound + b"</bound>")
    if opened.token is not None:
        token, expires_utc_s = opened.token
        element = Element(f"{{{FAST}}}token", token=token, expiry=timestamp.to_text(expires_utc_s))
        parts.append(xml.serialize(element))
    return b"".join([*parts, b"</success>"])


def offer(mechanisms: Collection[str], *, resumes: bool, features: Collection[str], tokens: Collection[str]) -> Element:
    """`<authentication>` among the stream features (XEP-0388 section 2.1)."""
    offered = Element(f"{{{SASL2}}}authentication")
    for name in mechanisms:
        SubElement(offered, f"{{{SASL2}}}mechanism").text = name
    inline = SubElement(offered, f"{{{SASL2}}}inline")
    bind = SubElement(inline, f"{{{BIND2}}}bind")
    if features:
        names = SubElement(bind, f"{{{BIND2}}}inline")
        for name in features:
            SubElement(names, f"{{{BIND2}}}feature", var=name)
    if resumes:
        SubElement(inline, f"{{{SM}}}sm")
    fast = SubElement(inline, f"{{{FAST}}}fast")
    for name in tokens:
        SubElement(fast, f"{{{FAST}}}mechanism").text = name
    return offered
