"""The part of a gateway that differs from others, in the words of XEP-0100; the runtime is shared."""

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
    """Such as `SMS`."""
    prompt: str
    """What an address of the foreign network is called: `Phone number`."""
    description: str
    """A sentence that asks for one."""
    contact_identity: tuple[str, str]
    """Disco category and type of a user of the foreign network: `("client", "sms")`."""
    contact_features: tuple[str, ...] = ()
    """Namespaces of the extensions that messages to them may have."""


class Registrar(Protocol):
    """The registrations of a gateway that has them (XEP-0100 sections 4.1 to 4.3). `user` is a bare JID."""

    @property
    def instructions(self) -> str:
        """A sentence that asks for the fields."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are asked for, by the names of XEP-0077: `phone`, `email`, `username` …"""

    @property
    def required(self) -> bool:
        """Whether only registered users may write."""

    async def users(self) -> list[Jid]:
        """Everybody who is registered."""

    async def find(self, user: Jid) -> Mapping[str, str] | None:
        """The user's registration, by field; None for a stranger."""

    async def register(self, user: Jid, answers: Mapping[str, str]) -> None:
        """Register the user, or change the registration. Raises StanzaError (not-acceptable) for bad answers."""

    async def remove(self, user: Jid) -> None:
        """Remove the registration."""


class Gateway(ABC):
    """Translates between XMPP and one foreign network. What it sends goes to `ComponentConnection.send`."""

    service: Service
    registrar: Registrar | None = None
    """None if everybody may write through the gateway."""

    @abstractmethod
    def normal(self, address: str) -> str:
        """The normal form of a foreign address. Raises StanzaError (item-not-found) for other texts."""

    @abstractmethod
    async def on_message(self, message: Stanza) -> None:
        """Handle a message of any type for a foreign address; also an error, which answers a message of the gateway.

        Returns when the message is safe: until then it counts against MAX_UNSETTLED. Messages come in order, without
        waiting for one another. Raises StanzaError to refuse it.
        """

    def vcard(self, address: str) -> Element:
        """What is known of a user of the foreign network (XEP-0054)."""
        card = Element(f"{{{VCARD}}}vCard")
        SubElement(card, f"{{{VCARD}}}FN").text = address
        return card


@dataclass(frozen=True)
class GatewayContext:
    """What the modules that answer for a gateway need."""

    domain: str
    gateway: Gateway
    host: ModuleHost[GatewayContext]
    send: Callable[[Stanza], Settled]
    soon: Callable[[Callable[[], Awaitable[None]]], None]
    """Run something after the answer to this request."""
    uptime_s: Callable[[], float]

    @property
    def jid(self) -> Jid:
        """The gateway's own address (XEP-0100 section 6.1)."""
        return Jid("", self.domain)


def contact_jid(gateway: Gateway, domain: str, address: str) -> Jid:
    """The JID of a foreign address (XEP-0106). Raises StanzaError for other texts."""
    try:
        # a JID is lower-case (RFC 7622 section 3.3), so lower the address before looking for escapes
        return Jid.parse(f"{escape(gateway.normal(address).lower())}@{domain}")
    except (ValueError, JidError) as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None


def contact_address(gateway: Gateway, jid: Jid) -> str:
    """The foreign address of a JID, in its normal form. Raises StanzaError for other JIDs."""
    return gateway.normal(unescape(jid.localpart))
