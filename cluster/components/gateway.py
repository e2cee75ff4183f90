"""What a gateway is to the runtime that all gateways share: its own part, in the words of XEP-0100."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cluster.base.settled import Settled
from cluster.host.module_host import ModuleHost
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.escaping import escape, unescape
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.stanza import Stanza

VCARD = "vcard-temp"


@dataclass(frozen=True)
class Service:
    """What a gateway offers, for service discovery and for people."""

    type: str
    """Of the disco category `gateway`, as the XMPP Registrar lists them: `sms`, `smtp`, `irc` …"""
    name: str
    """`SMS`."""
    prompt: str
    """What an address of the foreign network is called: `Phone number`."""
    description: str
    """A sentence that asks for one."""
    contact_identity: tuple[str, str]
    """Disco category and type of somebody over there: `("client", "sms")`."""
    contact_features: tuple[str, ...] = ()
    """What messages to them may have: namespaces of extensions."""


class Registrar(Protocol):
    """The registrations of a gateway that wants them (XEP-0100 sections 4.1 to 4.3). `user` is a bare JID."""

    @property
    def instructions(self) -> str:
        """A sentence that asks for the fields."""

    @property
    def fields(self) -> tuple[str, ...]:
        """What is asked for, by the names of XEP-0077: `phone`, `email`, `username` …"""

    @property
    def required(self) -> bool:
        """Who has not registered may not write."""

    async def users(self) -> list[Jid]:
        """Everybody who is registered."""

    async def find(self, user: Jid) -> Mapping[str, str] | None:
        """What the user registered with, by field; None for a stranger."""

    async def register(self, user: Jid, answers: Mapping[str, str]) -> None:
        """Register the user, or change the registration. Raises StanzaError (not-acceptable) for bad answers."""

    async def remove(self, user: Jid) -> None:
        """Forget the user."""


class Gateway(ABC):
    """Translates between XMPP and one foreign network. What it sends goes to `ComponentConnection.send`."""

    service: Service
    registrar: Registrar | None = None
    """None where everybody may write through the gateway."""

    @abstractmethod
    def normal(self, address: str) -> str:
        """The one spelling of a foreign address. Raises StanzaError for what is none (item-not-found)."""

    @abstractmethod
    async def on_message(self, message: Stanza) -> None:
        """A message of any type for a foreign address; also an error, which answers one that the gateway sent.

        It returns when the message is safe: until then it counts against what is read from the server. Messages come
        in order, and are not awaited for one another. Raises StanzaError to refuse it.
        """

    def vcard(self, address: str) -> Element:
        """What is known of somebody over there (XEP-0054)."""
        card = Element(f"{{{VCARD}}}vCard")
        SubElement(card, f"{{{VCARD}}}FN").text = address
        return card


@dataclass(frozen=True)
class GatewayContext:
    """What answers in the name of a gateway need."""

    domain: str
    gateway: Gateway
    host: ModuleHost[GatewayContext]
    send: Callable[[Stanza], Settled]
    soon: Callable[[Callable[[], Awaitable[None]]], None]
    """Run something behind the answer to this request."""
    uptime_s: Callable[[], float]

    @property
    def jid(self) -> Jid:
        """The gateway's own address (XEP-0100 section 6.1)."""
        return Jid("", self.domain)


def contact_jid(gateway: Gateway, domain: str, address: str) -> Jid:
    """The JID of a foreign address (XEP-0106). Raises StanzaError for what is none."""
    try:
        # a JID is lower-case (RFC 7622 section 3.3), so it has to be before the escapes are looked for
        return Jid.parse(f"{escape(gateway.normal(address).lower())}@{domain}")
    except (ValueError, JidError) as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None


def contact_address(gateway: Gateway, jid: Jid) -> str:
    """The foreign address behind a JID, in its one spelling. Raises StanzaError for what is none."""
    return gateway.normal(unescape(jid.localpart))
