"""Publish-subscribe at accounts, as clients on sockets have it (XEP-0060, XEP-0163)."""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable

from tests.conformance.site import Client, Site
from tests.conformance.wire import CLIENT, Element, error_of

PUBSUB = "http://jabber.org/protocol/pubsub"
NS, OWNER, EVENT, ERRORS = f"{{{PUBSUB}}}", f"{{{PUBSUB}#owner}}", f"{{{PUBSUB}#event}}", f"{{{PUBSUB}#errors}}"
INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
CAPS = "http://jabber.org/protocol/caps"
TUNE = "http://jabber.org/protocol/tune"
PAYLOAD = f"<tune xmlns='{TUNE}'/>"


def ask(client: Client, type: str, inner: str, to: str | None = None, *, owner: bool = False) -> Element:
    """A request to an account, one's own without `to`; the answer."""
    return client.ask(type, f"<pubsub xmlns='{PUBSUB}{'#owner' if owner else ''}'>{inner}</pubsub>", to)


def done(client: Client, type: str, inner: str, to: str | None = None, *, owner: bool = False) -> Element:
    """The same; the answer is good, and this is its `<pubsub>`, if it has one."""
    answer = ask(client, type, inner, to, owner=owner)
    assert answer.get("type") == "result", ET.tostring(answer)
    return answer[0] if len(answer) else answer


def refusal(answer: Element) -> tuple[str, str]:
    """The condition of an error, and that of publish-subscribe beside it, if there is one."""
    error = answer.find(f"{CLIENT}error")
    names = (
        [each.tag.removeprefix(ERRORS) for each in error if each.tag.startswith(ERRORS)] if error is not None else []
    )
    return error_of(answer)[1], "".join(names)


def form(form_type: str, **fields: str) -> str:
    """A submitted form."""
    shown = "".join(f"<field var='pubsub#{name}'><value>{value}</value></field>" for name, value in fields.items())
    hidden = f"<field var='FORM_TYPE' type='hidden'><value>{PUBSUB}#{form_type}</value></field>"
    return f"<x xmlns='jabber:x:data' type='submit'>{hidden}{shown}</x>"


def publication(node: str, id: str, payload: str = PAYLOAD, **options: str) -> str:
    """A request to publish."""
    wanted = f"<publish-options>{form('publish-options', **options)}</publish-options>" if options else ""
    named = f" id='{id}'" if id else ""
    return f"<publish node='{node}'><item{named}>{payload}</item></publish>{wanted}"


def create(client: Client, node: str, **config: str) -> None:
    """Make a node of one's own account with this configuration."""
    done(client, "set", f"<create node='{node}'/><configure>{form('node_config', **config)}</configure>")


def publish(client: Client, node: str, id: str, **options: str) -> None:
    """Publish an item at one's own account."""
    done(client, "set", publication(node, id, **options))


def ids(client: Client, node: str, inner: str = "", to: str | None = None, more: str = "") -> list[str]:
    """The items that are asked for."""
    [items] = done(client, "get", f"<items node='{node}'{more}>{inner}</items>", to).findall(f"{NS}items")
    return [item.get("id", "") for item in items]


class Listener:
    """A client that says which nodes it wants to hear of (XEP-0115), and answers when it is asked."""

    def __init__(self, client: Client, *nodes: str, said: str = "") -> None:
        """`said`: the hash that it says it has, where that is not its own."""
        self.client = client
        self.features = sorted([INFO, CAPS, *(f"{node}+notify" for node in nodes)])
        text = "client/pc//conformance<" + "".join(f"{feature}<" for feature in self.features)
        self.hash = said or base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()

    def come(self, inner: str = "") -> Listener:
        """Send presence."""
        caps = f"<c xmlns='{CAPS}' hash='sha-1' node='urn:example:client' ver='{self.hash}'/>"
        self.client.send(f"<presence>{inner}{caps}</presence>")
        return self

    def until(self, wanted: Callable[[Element], bool]) -> list[Element]:
        """As `Wire.until`, answering what it is asked."""
        seen: list[Element] = []
        while not seen or not wanted(seen[-1]):
            stanza = self.client.read()
            seen.append(stanza)
            if stanza.get("type") == "get" and stanza.find(f"{{{INFO}}}query") is not None:
                self._answer(stanza)
        return seen

    def _answer(self, question: Element) -> None:
        node = question[0].get("node")
        named = f" node='{node}'" if node else ""
        shown = "".join(f"<feature var='{feature}'/>" for feature in self.features)
        identity = "<identity category='client' type='pc' name='conformance'/>"
        self.client.send(
            f"<iq type='result' id='{question.get('id')}' to='{question.get('from')}'>"
            f"<query xmlns='{INFO}'{named}>{identity}{shown}</query></iq>"
        )

    def event(self, node: str) -> Element:
        """The message with the next event of this node."""
        return self.until(lambda stanza: any(told == node for told, _ in told_of([stanza])))[-1]

    def events_until_mark(self, of: Client) -> list[tuple[str, str]]:
        """What it was told of before a message that `of` sends now."""
        of.send(f"<message to='{self.client.jid}' id='mark' type='chat'><body>mark</body></message>")
        return told_of(self.until(lambda stanza: stanza.get("id") == "mark"))

    def sync(self) -> list[tuple[str, str]]:
        """What it was told of until its server has answered a ping."""
        self.client.send(f"<iq type='get' id='sync' to='{self.client.domain.name}'><ping xmlns='urn:xmpp:ping'/></iq>")
        return told_of(self.until(lambda stanza: stanza.get("id") == "sync"))


def told_of(stanzas: list[Element]) -> list[tuple[str, str]]:
    """Node, and what is told of it: the id of an item, `-` and the id of one that is gone, or `delete`, `purge` …"""
    found = []
    for stanza in stanzas:
        for what in stanza.findall(f"{EVENT}event/*"):
            node, name = what.get("node", ""), what.tag.removeprefix(EVENT)
            found += [(node, _item(item)) for item in what] if name == "items" else [(node, name)]
    return found


def _item(item: Element) -> str:
    return ("-" if item.tag == f"{EVENT}retract" else "") + item.get("id", "")


class Scene:
    """An account, a contact of it in the other domain that wants to hear of tunes, and a stranger to both."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.owner, self.contact = site.friends()
        self.listener = self.listening(self.contact, TUNE)

    def listening(self, whose: Client, *nodes: str) -> Listener:
        """A further resource of an account that has come, and whose wishes are known to the owner's server."""
        publish(self.owner, "urn:example:ready", "1")
        listener = Listener(self.site.client(whose.domain, name=whose.name), "urn:example:ready", *nodes).come()
        listener.event("urn:example:ready")
        return listener

    def stranger(self) -> Client:
        """Somebody of the owner's domain who sees nothing of it."""
        return self.site.online()
