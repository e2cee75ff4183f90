"""Scenarios in which nobody disturbs the servers."""

from __future__ import annotations

from cluster.lab.interop.person import PASSING, TUNE, Broken, blamed, body, comes_from, condition, is_
from cluster.lab.interop.sides import Fits, Sides, are_seen, meet, presence_of
from cluster.pubsub.errors import PUBSUB
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO
from cluster.xmpp.extensions.muc import MUC, OWNER
from cluster.xmpp.namespaces import DELAY, ROSTER

MANY = 1_000


def messages(sides: Sides) -> str:
    one, other = sides.ends("friend")
    with one as here, other as there:
        meet(here, there)
        for sender, receiver in ((here, there), (there, here)):
            for number in range(MANY):
                sender.message(receiver.full, str(number), PASSING)
            for number in range(MANY):
                found = receiver.see(f"message {number} of {MANY}", lambda each: body(each) is not None)
                if body(found) != str(number):
                    raise Broken(f"message {body(found)} came in place of {number} from {sender.jid}")
    return ""


def presence(sides: Sides) -> str:
    one, other = sides.ends("friend")
    with other as there:
        with one as here:
            meet(here, there)
        there.see(f"unavailable presence of {here.full}", presence_of(here.full, "unavailable"))
    return ""


def subscription(sides: Sides) -> str:
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
        are_seen(here, there)
        for who, contact in ((here, there), (there, here)):
            roster = who.ask("", f"<query xmlns='{ROSTER}'/>")
            items = {each.get("jid"): each.get("subscription") for each in roster.iter(f"{{{ROSTER}}}item")}
            if items.get(str(contact.jid)) != "both":
                text = f"the roster of {who.jid} has {contact.jid} as {items.get(str(contact.jid))}"
                raise Broken(text, "here" if who is here else "there")
        for who, contact in ((here, there), (there, here)):  # for the next to try
            who.ask("", f"<query xmlns='{ROSTER}'><item jid='{contact.jid}' subscription='remove'/></query>", "set")
    return ""


def queries(sides: Sides) -> str:
    with sides.person("friend", sides.here) as here:
        domain = sides.there.domain
        here.ask(domain, f"<query xmlns='{INFO}'/>")
        here.ask(domain, "<ping xmlns='urn:xmpp:ping'/>")
        version = here.ask(domain, "<query xmlns='jabber:iq:version'/>")
    return " ".join(version.itertext()).strip()


def errors(sides: Sides) -> str:
    with sides.person("friend", sides.here) as here:
        for to, expected in (
            (f"nobody@{sides.there.domain}", "service-unavailable"),
            ("somebody@nowhere.invalid", "remote-server-not-found"),
        ):
            here.message(to, "Is anybody there?")
            error = here.see(f"error from {to}", _message_of(to))
            if condition(error) != expected:
                text = f"a message to {to} came back with {condition(error)}, not {expected}"
                raise Broken(text, "there" if to.endswith(sides.there.domain) else "here")
    return ""


def _message_of(who: object) -> Fits:
    return lambda each: is_(each, "message") and comes_from(each, who)


def offline(sides: Sides) -> str:
    one, other = sides.ends("away")
    with one as here:
        here.message(other.jid, "For later")
        here.ask(sides.there.domain, "<ping xmlns='urn:xmpp:ping'/>")  # by now that one has the message too
    with other as there:
        there.presence()
        with blamed("there", "XEP-0160 section 3"):  # it has answered what came after the message
            found = there.see("message from before", lambda each: body(each) == "For later")
        if found.find(f"{{{DELAY}}}delay") is None:
            raise Broken(f"the message that waited for {there.jid} does not say since when", "there", "XEP-0203")
    return ""


def rooms(sides: Sides) -> str:
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
                who.ask(room, f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>", "set")
        here.say(f"<message to='{room}' type='groupchat'><body>She speaks</body></message>")
        for who in (here, there):
            who.see(f"message in {room}", lambda each: body(each) == "She speaks")
        for who in (here, there):
            who.say(f"<presence to='{room}/{who.jid.domainpart}' type='unavailable'/>")
    return ""


def eventing(sides: Sides) -> str:
    """A contact hears what the other publishes (XEP-0163)."""
    one, other = sides.ends("friend")
    with one as here, other as there:
        meet(here, there)
        tune = f"<tune xmlns='{TUNE}'><title>Queen Mab</title></tune>"
        publication = f"<publish node='{TUNE}'><item id='current'>{tune}</item></publish>"
        with blamed("there", "XEP-0163 section 3"):
            there.ask("", f"<pubsub xmlns='{PUBSUB}'>{publication}</pubsub>", "set")
        here.see(f"tune of {there.jid}", lambda each: comes_from(each, there.jid) and _tells(each, "Queen Mab"))
        there.ask("", f"<pubsub xmlns='{PUBSUB}#owner'><delete node='{TUNE}'/></pubsub>", "set")
    return ""


def _tells(element: Element, title: str) -> bool:
    return is_(element, "message") and any(each.text == title for each in element.iter(f"{{{TUNE}}}title"))
