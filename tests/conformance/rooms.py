"""Rooms, as a client on a socket has them (XEP-0045)."""

from __future__ import annotations

from tests.conformance.site import Client, Site, new_name
from tests.conformance.wire import CLIENT, Element, error_of

MUC = "http://jabber.org/protocol/muc"
USER = f"{{{MUC}#user}}"
JOIN = f"<x xmlns='{MUC}'/>"


class Room:
    """One room of the service."""

    def __init__(self, site: Site, owner: Client, **config: str) -> None:
        """A room that `owner` has made, is in as `owner`, and has configured so."""
        self.jid = f"{new_name('r')}@{site.rooms}"
        self.owner = owner
        self.entered = self.enter(owner, "owner")
        self.configure(**config)

    def enter(self, client: Client, nick: str, x: str = "") -> list[Element]:
        """The client asks to enter: all that it gets, to the subject of the room or an error."""
        client.send(f"<presence to='{self.jid}/{nick}'><x xmlns='{MUC}'>{x}</x></presence>")
        return client.until(lambda child: is_subject(child) or child.get("type") == "error")

    def leave(self, client: Client, nick: str) -> None:
        """The client asks to leave."""
        client.send(f"<presence to='{self.jid}/{nick}' type='unavailable'/>")

    def configure(self, **config: str) -> Element:
        """The owner submits these fields; the answer."""
        fields = "".join(
            f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>" for name, value in config.items()
        )
        form_type = f"<field var='FORM_TYPE'><value>{MUC}#roomconfig</value></field>" if config else ""
        form = f"<x xmlns='jabber:x:data' type='submit'>{form_type}{fields}</x>"
        answer = self.owner.ask("set", f"<query xmlns='{MUC}#owner'>{form}</query>", self.jid)
        assert answer.get("type") == "result", error_of(answer)
        return answer

    def admin(self, client: Client, item: str) -> Element:
        """A request of an administrator with one item; the answer."""
        return client.ask("set", f"<query xmlns='{MUC}#admin'><item {item}/></query>", self.jid)

    def say(self, client: Client, body: str, to: str = "", type: str = "groupchat") -> None:
        """The client says something to all, or to the occupant `to`."""
        address = f"{self.jid}/{to}" if to else self.jid
        client.send(f"<message to='{address}' type='{type}' id='{body}'><body>{body}</body></message>")

    def presence(self, client: Client, nick: str, type: str | None = None) -> Element:
        """The next presence of this occupant that the client gets."""

        def fits(child: Element) -> bool:
            is_of = child.get("from") == f"{self.jid}/{nick}"
            return child.tag == f"{CLIENT}presence" and is_of and child.get("type") == type

        return client.until(fits)[-1]


def own(got: list[Element], nick: str) -> Element:
    """The self-presence among what somebody got who entered; a room may send more before and after it."""
    found = [each for each in got if each.tag == f"{CLIENT}presence" and (each.get("from") or "").endswith(f"/{nick}")]
    assert len(found) == 1
    return found[0]


def is_subject(child: Element) -> bool:
    """A message with a subject and no body."""
    is_message = child.tag == f"{CLIENT}message" and child.get("type") == "groupchat"
    return is_message and child.find(f"{CLIENT}subject") is not None and child.find(f"{CLIENT}body") is None


def codes(presence: Element) -> set[str]:
    """Its status codes."""
    return {each.get("code", "") for each in presence.iter(f"{USER}status")}


def item(presence: Element) -> Element:
    """What the room says of the occupant."""
    found = presence.find(f"{USER}x/{USER}item")
    assert found is not None
    return found
