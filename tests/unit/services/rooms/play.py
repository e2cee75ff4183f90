"""A network with rooms for tests, and a form of stanzas as one line each."""

from __future__ import annotations

from typing import Any

from cluster import services
from cluster.host.disco import INFO
from cluster.services.rooms.settings import RoomsSettings
from cluster.store.port import Store
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import ADMIN, MUC, OWNER, USER
from cluster.xmpp.namespaces import CLIENT, DELAY
from tests.client import Client
from tests.network import MONTAGUE, Network
from tests.told import told

SERVICE = f"conference.{MONTAGUE}"
VERONA = f"verona@{SERVICE}"
ROMEO, BENVOLIO, JULIET, NURSE = (
    "romeo@montague.lit/pda", "benvolio@montague.lit/pc", "juliet@capulet.lit/balcony", "nurse@capulet.lit/kitchen",
)  # fmt: skip
CONFIG = f"{MUC}#roomconfig"


class Play:
    """A network whose first domain has rooms."""

    def __init__(self, acknowledge_after_s: float = 0.0, store: Store | None = None, **settings: Any) -> None:
        """`acknowledge_after_s`: of the `Network`; `store`: of its first domain; `settings`: of the service."""
        [service] = services.load(("rooms",))
        if settings:
            service = service.with_settings(settings)
            assert isinstance(service.settings, RoomsSettings)
        stores = {} if store is None else {MONTAGUE: store}
        self.network = Network(stores=stores, services={SERVICE: service}, acknowledge_after_s=acknowledge_after_s)
        self.numbers = iter(range(1, 10_000))

    def online(self, jid: str) -> Client:
        return self.network.online(jid)

    def say(self, client: Client, stanza: str) -> None:
        """The client sends this; returns after all effects."""
        self.network.say(client, stanza)
        self.network.advance(0.1)

    def enter(self, client: Client, nick: str, room: str = VERONA, x: str = "") -> list[str]:
        """The client enters; returns the lines that it received."""
        client.take()
        self.say(client, f"<presence to='{room}/{nick}'><x xmlns='{MUC}'>{x}</x></presence>")
        return lines(client)

    def create(self, client: Client, nick: str, room: str = VERONA, **config: str | list[str]) -> None:
        """The client creates the room with this configuration: `membersonly="1"`."""
        self.enter(client, nick, room)
        self.configure(client, room, **config)
        client.take()

    def configure(self, client: Client, room: str = VERONA, **config: str | list[str]) -> list[str]:
        form = "".join(
            f"<field var='muc#{'' if name == 'maxhistoryfetch' else 'roomconfig_'}{name}'>"
            + "".join(f"<value>{each}</value>" for each in ([value] if isinstance(value, str) else value))
            + "</field>"
            for name, value in config.items()
        )
        form_type = f"<field var='FORM_TYPE'><value>{CONFIG}</value></field>" if config else ""
        x = f"<x xmlns='jabber:x:data' type='submit'>{form_type}{form}</x>"
        return self.ask(client, "set", f"<query xmlns='{OWNER}'>{x}</query>", room)

    def ask(self, client: Client, type: str, payload: str, to: str = VERONA) -> list[str]:
        """Send a request; returns all lines that the client received."""
        client.take()
        self.say(client, f"<iq to='{to}' type='{type}' id='q{next(self.numbers)}'>{payload}</iq>")
        return lines(client)

    def reply(self, client: Client, type: str, payload: str, to: str = VERONA) -> Element:
        """Send a request; returns the answer."""
        client.take()
        self.say(client, f"<iq to='{to}' type='{type}' id='q{next(self.numbers)}'>{payload}</iq>")
        [reply] = [each for each in client.stanzas if each.tag == f"{{{CLIENT}}}iq"]
        return reply

    def admin(self, client: Client, *items: str, type: str = "set") -> list[str]:
        """`affiliation='member' jid='…'`: items of a request of an administrator."""
        written = "".join(f"<item {item}/>" for item in items)
        return self.ask(client, type, f"<query xmlns='{ADMIN}'>{written}</query>")

    def speak(self, client: Client, body: str, to: str = VERONA, type: str = "groupchat") -> None:
        self.say(client, f"<message to='{to}' type='{type}' id='{body}'><body>{body}</body></message>")

    def silence(self, *clients: Client) -> None:
        """Discard what these clients have received."""
        for client in clients:
            client.take()


def lines(client: Client) -> list[str]:
    """Take the stanzas that the client has received, each as a `line`."""
    stanzas, client.stanzas = client.stanzas, []
    return [line(stanza) for stanza in stanzas]


def line(stanza: Element) -> str:
    """Of presence in a room: `presence romeo owner moderator [jid] 110 201: …`; of what is said: `romeo: text`."""
    from_ = stanza.get("from", "")
    nick = from_.partition("/")[2] or from_.partition("@")[0]
    error = stanza.find(f"{{{CLIENT}}}error")
    if error is not None:
        condition = xml.split(error[0].tag)[1]
        return f"{xml.split(stanza.tag)[1]}/error {nick} {error.get('type')} {condition}"
    x = stanza.find(f"{{{USER}}}x")
    if stanza.tag == f"{{{CLIENT}}}presence" and x is not None:
        return _presence(stanza, x, nick)
    if stanza.tag == f"{{{CLIENT}}}message" and SERVICE in from_:
        return _message(stanza, x, nick)
    if stanza.tag == f"{{{CLIENT}}}iq":
        return f"iq/{stanza.get('type')}"
    return told(stanza)


def _presence(stanza: Element, x: Element, nick: str) -> str:
    words = ["gone" if stanza.get("type") else "presence", nick]
    item = x.find(f"{{{USER}}}item")
    if item is not None:
        words += [item.get(name, "") for name in ("affiliation", "role", "jid", "nick") if name in item.attrib]
        words += [f"by {each.get('nick')}" for each in item.findall(f"{{{USER}}}actor")]
        words += [f"({each.text})" for each in item.findall(f"{{{USER}}}reason")]
    destroy = x.find(f"{{{USER}}}destroy")
    if destroy is not None:
        words += ["destroyed", destroy.get("jid", "")]
    words += [each.get("code", "") for each in x.findall(f"{{{USER}}}status")]
    show = xml.text_of(stanza, f"{{{CLIENT}}}show") or xml.text_of(stanza, f"{{{CLIENT}}}status")
    return " ".join(word for word in words if word) + (f": {show}" if show else "")


def _message(stanza: Element, x: Element | None, nick: str) -> str:
    body, subject = (xml.text_of(stanza, f"{{{CLIENT}}}{name}") for name in ("body", "subject"))
    is_old = stanza.find(f"{{{DELAY}}}delay") is not None
    kind = "" if stanza.get("type") == "groupchat" else f"{stanza.get('type') or 'normal'} "
    if body is not None:
        return f"{kind}{nick}: {body}" + (" (before)" if is_old else "")
    if subject is not None:
        return f"{kind}{nick} subject {subject!r}" + (" (before)" if is_old else "")
    if x is not None and len(x):
        return f"{kind}{nick} " + " ".join(each.get("code") or xml.split(each.tag)[1] for each in x)
    return f"{kind}{nick} {' '.join(xml.split(each.tag)[1] for each in stanza)}"


def info(play: Play, client: Client, to: str = VERONA, node: str = "") -> Element:
    """What a room, or another address, says of itself."""
    return play.reply(client, "get", f"<query xmlns='{INFO}'{f' node={node!r}' if node else ''}/>", to)
