"""What is tried between two servers; each scenario goes from `here` to `there`, and names the rule that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cluster.lab.api import Lab
from cluster.lab.interop.person import Broken, Person, body, comes_from, condition, is_
from cluster.topology.plan import ServerNode
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import DELAY, ROSTER

MANY = 1_000
DISCO_INFO = "http://jabber.org/protocol/disco#info"
Fits = Callable[[Element], bool]
MUC = "http://jabber.org/protocol/muc"


class Sides(NamedTuple):
    """The lab of a cell."""

    lab: Lab
    here: ServerNode
    there: ServerNode

    def person(self, name: str, server: ServerNode) -> Person:
        """The account of this name there: `friend` is a contact of the other one's, `stranger` and `away` are not."""
        return Person(self.lab.folder, self.lab.plan, f"{name}@{server.domain}")

    def ends(self, name: str) -> tuple[Person, Person]:
        """The accounts of this name, here and there."""
        return self.person(name, self.here), self.person(name, self.there)


class Scenario(NamedTuple):
    """One of the grid's columns."""

    name: str
    rule: str
    """What it is about, with its section."""
    run: Callable[[Sides], str]
    """Returns what is worth a remark, mostly nothing. Raises Broken."""


def _messages(sides: Sides) -> str:
    one, other = sides.ends("friend")
    with one as here, other as there:
        here.presence()
        there.presence()
        _is_seen(here, there)
        for sender, receiver in ((here, there), (there, here)):
            for number in range(MANY):
                sender.message(receiver.full, str(number))
            for number in range(MANY):
                found = receiver.see(f"message {number} of {MANY}", lambda each: body(each) is not None)
                if body(found) != str(number):
                    raise Broken(f"message {body(found)} came in place of {number} from {sender.jid}")
    return ""


def _is_seen(*people: Person) -> None:
    """Each sees the others' presence."""
    for who in people:
        for other in people:
            if who is not other:
                who.see(f"presence of {other.full}", presence_of(other.full))


def presence_of(who: object, type: str | None = None) -> Fits:
    """Available where no type is named."""
    return lambda each: is_(each, "presence") and comes_from(each, who) and each.get("type") == type


def _presence(sides: Sides) -> str:
    one, other = sides.ends("friend")
    with other as there:
        there.presence()
        with one as here:
            here.presence()
            _is_seen(here, there)
        there.see(f"unavailable presence of {here.full}", presence_of(here.full, "unavailable"))
    return ""


def _subscription(sides: Sides) -> str:
    one, other = sides.ends("stranger")
    with one as here, other as there:
        for who in (here, there):
            who.ask("", f"<query xmlns='{ROSTER}'/>")
            who.presence()
        for asks, approves in ((here, there), (there, here)):
            asks.presence(to=str(approves.jid), type="subscribe")
            approves.see(f"request of {asks.jid}", presence_of(asks.jid, "subscribe"))
            approves.presence(to=str(asks.jid), type="subscribed")
            asks.see(f"approval by {approves.jid}", presence_of(approves.jid, "subscribed"))
        _is_seen(here, there)
        for who, contact in ((here, there), (there, here)):
            roster = who.ask("", f"<query xmlns='{ROSTER}'/>")
            items = {each.get("jid"): each.get("subscription") for each in roster.iter(f"{{{ROSTER}}}item")}
            if items.get(str(contact.jid)) != "both":
                raise Broken(f"the roster of {who.jid} has {contact.jid} as {items.get(str(contact.jid))}")
        for who, contact in ((here, there), (there, here)):  # for the next to try
            who.ask("", f"<query xmlns='{ROSTER}'><item jid='{contact.jid}' subscription='remove'/></query>", "set")
    return ""


def _queries(sides: Sides) -> str:
    with sides.person("friend", sides.here) as here:
        domain = sides.there.domain
        here.ask(domain, f"<query xmlns='{DISCO_INFO}'/>")
        here.ask(domain, "<ping xmlns='urn:xmpp:ping'/>")
        version = here.ask(domain, "<query xmlns='jabber:iq:version'/>")
    return " ".join(version.itertext()).strip()


def _errors(sides: Sides) -> str:
    with sides.person("friend", sides.here) as here:
        for to, expected in (
            (f"nobody@{sides.there.domain}", "service-unavailable"),
            ("somebody@nowhere.invalid", "remote-server-not-found"),
        ):
            here.message(to, "Is anybody there?")
            error = here.see(f"error from {to}", _message_of(to))
            if condition(error) != expected:
                raise Broken(f"a message to {to} came back with {condition(error)}, not {expected}")
    return ""


def _message_of(who: object) -> Fits:
    return lambda each: is_(each, "message") and comes_from(each, who)


def _offline(sides: Sides) -> str:
    one, other = sides.ends("away")
    with one as here:
        here.message(other.jid, "For later")
        here.ask(sides.there.domain, "<ping xmlns='urn:xmpp:ping'/>")  # by now that one has the message too
    with other as there:
        there.presence()
        found = there.see("message from before", lambda each: body(each) == "For later")
        if found.find(f"{{{DELAY}}}delay") is None:
            raise Broken(f"the message that waited for {there.jid} does not say since when (XEP-0203)")
    return ""


def _rooms(sides: Sides) -> str:
    service = next((each.domain for each in sides.there.services if each.kind == "rooms"), None)
    if service is None:
        raise Broken(f"{sides.there.name} has no rooms")
    room = f"orchard@{service}"
    one, other = sides.ends("friend")
    with other as there, one as here:
        for who in (there, here):
            who.say(f"<presence to='{room}/{who.jid.domainpart}'><x xmlns='{MUC}'/></presence>")
            who.see(f"own presence in {room}", presence_of(f"{room}/{who.jid.domainpart}"))
            if who is there:  # a new room may be locked until its owner takes its settings (XEP-0045 section 10.1.2)
                who.ask(room, f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>", "set")
        here.say(f"<message to='{room}' type='groupchat'><body>She speaks</body></message>")
        for who in (here, there):
            who.see(f"message in {room}", lambda each: body(each) == "She speaks")
        for who in (here, there):
            who.say(f"<presence to='{room}/{who.jid.domainpart}' type='unavailable'/>")
    return ""


def _restart(sides: Sides) -> str:
    """Messages are sent while the other server goes down and comes back; what becomes of each is counted."""
    one, other = sides.ends("away")
    with one as here:
        sent = {here.message(other.jid, f"restart {number}"): number for number in range(50)}
        sides.lab.act(sides.there.name, "restart")
        sent |= {here.message(other.jid, f"restart {number}"): number for number in range(50, 100)}
        returned = {each.get("id", "") for each in here.drained(3.0) if each.get("type") == "error"} & sent.keys()
        with other as there:
            there.presence()
            bodies = [body(each) for each in there.drained(5.0)]
    arrived = [text for text in bodies if text and text.startswith("restart ")]
    lost = [number for id, number in sent.items() if f"restart {number}" not in arrived and id not in returned]
    counted = f"{len(set(arrived))} arrived, {len(returned)} returned, {len(arrived) - len(set(arrived))} twice"
    if lost:
        raise Broken(f"{len(lost)} of {len(sent)} messages are lost without a word ({counted}), the first is {lost[0]}")
    return counted


SCENARIOS = (
    Scenario("messages", f"{MANY:,} messages each way arrive in order (RFC 6120 section 10.1)", _messages),
    Scenario("presence", "contacts see each other come and go (RFC 6121 sections 4.2 to 4.5)", _presence),
    Scenario("subscription", "strangers become contacts, to `both` (RFC 6121 section 3.1)", _subscription),
    Scenario("queries", "disco#info, ping and version of the other domain (XEP-0030, XEP-0199, XEP-0092)", _queries),
    Scenario(
        "errors", "an unknown account and an unknown domain (RFC 6121 section 8.5.1, RFC 6120 section 8.3.3)", _errors
    ),
    Scenario("offline", "a message waits for who is away, and says since when (XEP-0160, XEP-0203)", _offline),
    Scenario("rooms", "a room of the other server, joined and spoken in (XEP-0045 sections 7.2 and 7.4)", _rooms),
    Scenario(
        "restart", "while the other server restarts, each message arrives or returns (RFC 6120 section 10)", _restart
    ),
)
"""In the order of the grid; what disturbs the servers last."""
