"""STARTTLS (RFC 6120 section 5)."""

from __future__ import annotations

from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.namespaces import TLS
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams.events import Event, TlsWanted
from cluster.xmpp.streams.feature import Fact, Feature, Initiating, Receiving, Steps
from cluster.xmpp.streams.states import Input


def _offer(stream: Receiving) -> list[Element]:
    if stream.options.tls == "off":
        return []
    starttls = Element(f"{{{TLS}}}starttls")
    if _is_required(stream):
        SubElement(starttls, f"{{{TLS}}}required")
    return [starttls]


def _is_required(stream: Receiving) -> bool:
    return stream.options.tls == "required"


def _take(stream: Receiving, child: Slice) -> Event:
    stream.move(Input.STARTTLS)
    if stream.options.tls == "off" or stream.secure:
        stream.write(f"<failure xmlns='{TLS}'/>".encode())  # section 5.4.2.2
        return stream.end("TLS is not on offer")
    if stream.has_more:
        # clear-text input must not count as sent under TLS (section 5.4.3.3)
        raise StreamError(StreamCondition.POLICY_VIOLATION, "data after <starttls/>")
    stream.write(f"<proceed xmlns='{TLS}'/>".encode())
    stream.expect_header()
    return stream.ask(TlsWanted())


def _initiate(stream: Initiating, features: Element) -> Steps | None:
    is_wanted = features.find(f"{{{TLS}}}starttls") is not None and not stream.login.in_clear
    return _start(stream) if is_wanted else None


def _start(stream: Initiating) -> Steps:
    stream.write(f"<starttls xmlns='{TLS}'/>".encode())
    yield from stream.expect("STARTTLS", f"{TLS} proceed")
    return (yield from stream.restarted(TlsWanted()))


STARTTLS = Feature(
    "STARTTLS",
    excludes=Fact.SECURE | Fact.AUTHENTICATED,
    offer=_offer,
    is_required=_is_required,
    takes={f"{TLS} starttls": _take},
    initiate=_initiate,
)
