"""What a test knows of the servers that it runs against, and the clients that it makes there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.conformance.federation import Peer, Place
from tests.conformance.wire import CLIENT, Element, Wire, bound_jid

PASSWORD = "secret"


def new_name(prefix: str = "u") -> str:
    """A name that nobody has yet."""
    return prefix + uuid.uuid4().hex[:12]


@dataclass(frozen=True)
class Domain:
    """One domain and where its clients connect."""

    name: str
    address: tuple[str, int]
    ca_file: str = ""
    s2s: tuple[str, int] = ("", 0)
    """Where other servers connect; they speak in clear where the clients do."""


@dataclass
class Site:
    """Servers of two domains that federate, and one that wants TLS. Registration is open in all of them."""

    name: str
    here: Domain
    """No TLS; PLAIN is on offer."""
    there: Domain
    """The same, on another server."""
    secured: Domain
    """STARTTLS is mandatory, for clients and for servers."""
    place: Callable[[], Place] = Place.nowhere
    """A domain that no test has played yet."""
    flawed: Callable[[str], Place] = Place.nowhere
    """A domain whose certificate has this flaw (cluster.lab.provision.ca.FLAWS)."""
    _open: list[Wire | Peer] = field(default_factory=list)

    @property
    def rooms(self) -> str:
        """The domain at which `here` has rooms (XEP-0045)."""
        return f"conference.{self.here.name}"

    def wire(self, domain: Domain | None = None) -> Wire:
        """A connection that says nothing yet."""
        wire = Wire((domain or self.here).address)
        self._open.append(wire)
        return wire

    def peer(self, flaw: str = "") -> Peer:
        """A server of another domain, which the test plays."""
        peer = Peer(self.flawed(flaw) if flaw else self.place())
        self._open.append(peer)
        return peer

    def account(self, domain: Domain | None = None) -> str:
        """The localpart of a new account."""
        domain = domain or self.here
        name = new_name()
        with Wire(domain.address) as wire:
            wire.open(domain.name)
            wire.register(name, PASSWORD)
        return name

    def authenticated(self, domain: Domain | None = None, name: str = "") -> tuple[Wire, str]:
        """A connection that is logged in and has read the features after the login, and its localpart."""
        domain = domain or self.here
        wire = self.wire(domain)
        wire.open(domain.name)
        if not name:
            name = new_name()
            wire.register(name, PASSWORD)
        assert wire.plain(name, PASSWORD).tag.endswith("}success")
        wire.open(domain.name)
        return wire, name

    def client(self, domain: Domain | None = None, *, name: str = "", resource: str = "", lang: str = "") -> Client:
        """A bound client of a new account, or of `name`."""
        domain = domain or self.here
        client = Client(domain, name, resource, lang)
        self._open.append(client)
        return client

    def online(self, domain: Domain | None = None, *, name: str = "", resource: str = "", priority: int = 0) -> Client:
        """The same, which has asked for its roster and is available."""
        client = self.client(domain, name=name, resource=resource)
        client.roster()
        client.available(priority)
        return client

    def friends(self) -> tuple[Client, Client]:
        """Two online clients, here and there, that see each other."""
        user, contact = self.online(), self.online(self.there)
        befriend(user, contact)
        user.sync()
        contact.sync()
        return user, contact

    def warm_up(self) -> None:
        """Both servers have written to each other: some need seconds for the first stanza, of which no rule speaks."""
        for here, there in ((self.here, self.there), (self.there, self.here)):
            self.client(here).sync(there.name)

    def lacks(self, reason: str) -> None:
        """A server may lack what this test is about: the test says nothing of a peer, and fails for ours."""
        assert self.name != "xmpplab", reason
        pytest.skip(reason)

    def close_clients(self) -> None:
        """End all connections of a test."""
        for wire in self._open:
            wire.close()
        self._open.clear()


class Client(Wire):
    """A bound client."""

    def __init__(self, domain: Domain, name: str, resource: str, lang: str) -> None:
        super().__init__(domain.address)
        extra = f"xml:lang='{lang}'" if lang else ""
        self.domain = domain
        self.open(domain.name, extra=extra)
        self.name = name or new_name()
        if not name:
            self.register(self.name, PASSWORD)
        assert self.plain(self.name, PASSWORD).tag.endswith("}success")
        self.open(domain.name, extra=extra)
        self.jid = bound_jid(self.bind(resource))
        self.bare = self.jid.partition("/")[0]
        self.resource = self.jid.partition("/")[2]

    def ask(self, type: str, payload: str, to: str | None = None) -> Element:
        """An iq request and its answer; what came before the answer is in `before`."""
        token = new_name("iq")
        address = "" if to is None else f" to='{to}'"
        self.send(f"<iq type='{type}' id='{token}'{address}>{payload}</iq>")
        *self.before, answer = self.until(lambda child: child.tag == f"{CLIENT}iq" and child.get("id") == token)
        return answer

    def sync(self, to: str | None = None) -> list[Element]:
        """What came until the server (or `to`) has answered a ping: all that it had to say to what was sent before."""
        self.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to or self.domain.name)
        return self.before

    def mark(self, receiver: Client) -> list[Element]:
        """What the receiver got until a message came that this client sends now, after all it sent before."""
        token = new_name("mark")
        self.send(f"<message to='{receiver.jid}' id='{token}' type='chat'><body>mark</body></message>")
        return receiver.until(lambda child: child.get("id") == token)[:-1]

    def available(self, priority: int = 0) -> None:
        """Initial presence; returns when the server has echoed it and is done with what waited for this resource."""
        self.send(f"<presence><priority>{priority}</priority></presence>")
        self.presence_of(None, self.jid)
        self.mark(self)
        self.sync()

    def roster(self) -> dict[str, Element]:
        """The items by their addresses; from now on this resource is interested."""
        answer = self.ask("get", "<query xmlns='jabber:iq:roster'/>")
        assert answer.get("type") == "result"
        return {item.get("jid", ""): item for item in answer.iter("{jabber:iq:roster}item")}

    def set_item(self, item: str) -> Element:
        """A roster set with this item."""
        return self.ask("set", f"<query xmlns='jabber:iq:roster'>{item}</query>")

    def subscription(self, type: str, contact: str) -> None:
        """A presence of this type to the contact."""
        self.send(f"<presence type='{type}' to='{contact}'/>")

    def presence_of(self, type: str | None, sender: str) -> Element:
        """Waits for a presence of this type from this address."""

        def fits(child: Element) -> bool:
            return child.tag == f"{CLIENT}presence" and child.get("type") == type and child.get("from") == sender

        return self.until(fits)[-1]


def subscribe(user: Client, contact: Client) -> None:
    """The user gets a subscription to the contact."""
    user.subscription("subscribe", contact.bare)
    contact.presence_of("subscribe", user.bare)
    contact.subscription("subscribed", user.bare)
    user.presence_of("subscribed", contact.bare)


def befriend(user: Client, contact: Client) -> None:
    """Each sees the other."""
    subscribe(user, contact)
    subscribe(contact, user)
    user.mark(contact)
    contact.mark(user)


def pushes(stanzas: list[Element]) -> list[Element]:
    """The items of the roster pushes among them."""
    found = [s for s in stanzas if s.tag == f"{CLIENT}iq" and s.get("type") == "set"]
    return [item for push in found for item in push.iter("{jabber:iq:roster}item")]


def presences(stanzas: list[Element], sender: str | None = None) -> list[tuple[str | None, str | None]]:
    """Sender and type of the presences among them, of one sender or all."""
    found = [(s.get("from"), s.get("type")) for s in stanzas if s.tag == f"{CLIENT}presence"]
    return [each for each in found if sender is None or (each[0] or "").startswith(sender)]


def messages(stanzas: list[Element]) -> list[Element]:
    """The messages among them."""
    return [s for s in stanzas if s.tag == f"{CLIENT}message"]
