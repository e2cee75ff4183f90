"""Requests of publish-subscribe (XEP-0060) and what comes of them, so that a test reads as a play."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from cluster.pubsub.errors import ERRORS, EVENT, OWNER, PUBSUB
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions.caps import CAPS, INFO, verification
from cluster.xmpp.namespaces import CLIENT, STANZA_ERRORS
from tests.client import Client
from tests.network import Network

NODE_CONFIG = f"{PUBSUB}#node_config"
PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"


class Asked:
    """A network whose clients ask one service; without `to` each asks its own account."""

    def __init__(self, network: Network, to: str = "") -> None:
        self.network = network
        self.to = to

    def reply(self, client: Client, payload: str, *, type: str = "set", ns: str = PUBSUB, to: str = "") -> Element:
        """The reply to a request; what else the client got before is kept."""
        before = len(client.stanzas)
        address = f" to='{to or self.to}'" if to or self.to else ""
        self.network.say(client, f"<iq{address} type='{type}' id='asked'><pubsub xmlns='{ns}'>{payload}</pubsub></iq>")
        self.network.advance(0.1)
        replies = [each for each in client.stanzas[before:] if each.get("id") == "asked"]
        assert len(replies) == 1, [xml.serialize(each) for each in client.stanzas]
        client.stanzas.remove(replies[0])
        return replies[0]

    def done(self, client: Client, payload: str, *, type: str = "set", ns: str = PUBSUB, to: str = "") -> Element:
        """The `<pubsub>` of a good reply, empty where it has none."""
        reply = self.reply(client, payload, type=type, ns=ns, to=to)
        assert reply.get("type") == "result", xml.serialize(reply)
        return reply[0] if len(reply) else Element("none")

    def refused(self, client: Client, payload: str, *, type: str = "set", ns: str = PUBSUB, to: str = "") -> str:
        """What an error says: `type condition [condition of pubsub [feature]]`."""
        reply = self.reply(client, payload, type=type, ns=ns, to=to)
        assert reply.get("type") == "error", xml.serialize(reply)
        error = reply.find(f"{{{CLIENT}}}error")
        assert error is not None
        words = [error.get("type", "")]
        for each in error:
            namespace, name = xml.split(each.tag)
            if namespace in (STANZA_ERRORS, ERRORS) and name != "text":
                words += [name, *([each.get("feature", "")] if "feature" in each.attrib else [])]
        return " ".join(words)

    # --- shorthands

    def create(self, client: Client, node: str, **config: str) -> None:
        """Make a node with this configuration."""
        self.done(client, f"<create node={quoteattr(node)}/><configure>{form(NODE_CONFIG, **config)}</configure>")

    def publish(self, client: Client, node: str, id: str = "", payload: str = "<p xmlns='p'/>", **options: str) -> str:
        """Publish an item; its id."""
        answer = self.done(client, publication(node, id, payload, **options))
        return answer[0][0].get("id", "")

    def items(self, client: Client, node: str, inner: str = "", *, to: str = "", max_items: str = "") -> list[str]:
        """The ids of the items that are asked for."""
        most = f" max_items='{max_items}'" if max_items else ""
        answer = self.done(client, f"<items node={quoteattr(node)}{most}>{inner}</items>", type="get", to=to)
        return [each.get("id", "") for each in answer[0]]

    def configure(self, client: Client, node: str, **config: str) -> None:
        """Change the configuration."""
        self.done(client, f"<configure node={quoteattr(node)}>{form(NODE_CONFIG, **config)}</configure>", ns=OWNER)

    def affiliate(self, client: Client, node: str, jid: str, affiliation: str) -> None:
        """Give somebody an affiliation."""
        inner = f"<affiliation jid={quoteattr(jid)} affiliation='{affiliation}'/>"
        self.done(client, f"<affiliations node={quoteattr(node)}>{inner}</affiliations>", ns=OWNER)

    def subscribe(self, client: Client, node: str, jid: str = "", *, to: str = "") -> str:
        """Subscribe the bare JID of a client, or another one; the state."""
        address = jid or str(client.jid.bare)
        answer = self.done(client, f"<subscribe node={quoteattr(node)} jid={quoteattr(address)}/>", to=to)
        return answer[0].get("subscription", "")


def form(form_type: str, **fields: str) -> str:
    """A submitted form with these fields of `pubsub#`; values are separated by `|`."""
    shown = "".join(
        f"<field var='pubsub#{name}'>{''.join(f'<value>{value}</value>' for value in values.split('|'))}</field>"
        for name, values in fields.items()
    )
    hidden = f"<field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>"
    return f"<x xmlns='jabber:x:data' type='submit'>{hidden}{shown}</x>"


def publication(node: str, id: str = "", payload: str = "<p xmlns='p'/>", **options: str) -> str:
    """The request to publish an item."""
    named = f" id={quoteattr(id)}" if id else ""
    wanted = f"<publish-options>{form(PUBLISH_OPTIONS, **options)}</publish-options>" if options else ""
    return f"<publish node={quoteattr(node)}><item{named}>{payload}</item></publish>{wanted}"


def events(client: Client) -> list[str]:
    """The notifications that a client got since it was last asked, a line each; what else it got is kept."""
    found = [stanza for stanza in client.stanzas if stanza.find(f"{{{EVENT}}}event") is not None]
    client.stanzas = [stanza for stanza in client.stanzas if stanza not in found]
    return [told_event(stanza) for stanza in found]


def told_event(stanza: Element) -> str:
    """`node: +id payload`, `node: -id`, `node deleted` and so on; `(late)` where it has a delay."""
    event = stanza.find(f"{{{EVENT}}}event")
    assert event is not None
    [what] = event
    name, node = xml.split(what.tag)[1], what.get("node", "")
    late = " (late)" if stanza.find("{urn:xmpp:delay}delay") is not None else ""
    if name == "items":
        told = " ".join(_item(each) for each in what)
        return f"{node}: {told}{late}"
    if name == "subscription":
        return f"{node} {what.get('jid')} {what.get('subscription')}"
    redirect = what.find(f"{{{EVENT}}}redirect")
    return f"{node} {name}" + (f" {redirect.get('uri')}" if redirect is not None else "")


def _item(item: Element) -> str:
    if xml.split(item.tag)[1] == "retract":
        return f"-{item.get('id')}"
    payload = xml.split(item[0].tag)[1] if len(item) else "nothing"
    return f"+{item.get('id', '')} {payload}"


class Wanting:
    """A client that says in its presence of which nodes it wants to hear (XEP-0115), and answers when it is asked."""

    def __init__(self, network: Network, jid: str, *nodes: str, software: str = "test") -> None:
        self.network = network
        self.client = network.client(jid)
        self.software = software
        self.asked: list[str] = []
        """The disco nodes that it was asked about."""
        self.want(*nodes)

    def want(self, *nodes: str) -> None:
        """From its next presence on."""
        self.features = [INFO, *(f"{node}+notify" for node in nodes)]
        self.ver = verification(self.query())

    def query(self) -> Element:
        """What it says of itself."""
        query = Element(f"{{{INFO}}}query")
        SubElement(query, f"{{{INFO}}}identity", category="client", type="pc", name=self.software)
        for feature in self.features:
            SubElement(query, f"{{{INFO}}}feature", var=feature)
        return query

    def caps(self) -> str:
        """What it puts into its presence."""
        return f"<c xmlns='{CAPS}' hash='sha-1' node='http://{self.software}' ver='{self.ver}'/>"

    def come(self, *, to: str = "", answering: bool = True) -> Wanting:
        """Send presence."""
        address = f" to='{to}'" if to else ""
        self.network.say(self.client, f"<presence{address}>{self.caps()}</presence>")
        self.network.advance(0.1)
        while answering and self.answer():
            pass
        return self

    def answer(self) -> int:
        """Answer all that it is asked of itself; how often that was."""
        questions = [each for each in self.client.stanzas if each.find(f"{{{INFO}}}query") is not None]
        for each in questions:
            self.client.stanzas.remove(each)
            query = self.query()
            asked = each[0].get("node")
            self.asked.append(asked or "")
            if asked:
                query.set("node", asked)
            reply = Element(f"{{{CLIENT}}}iq", type="result", id=each.get("id", ""), to=each.get("from", ""))
            reply.append(query)
            self.client.send(xml.serialize(reply))
        self.network.settle()
        self.network.advance(0.1)
        return len(questions)

    def leave(self) -> None:
        """Be not available any more."""
        self.network.say(self.client, "<presence type='unavailable'/>")
        self.network.advance(0.1)

    def told(self) -> list[str]:
        """The notifications that it got since it was last asked."""
        self.network.settle()
        self.network.advance(0.1)
        return events(self.client)
