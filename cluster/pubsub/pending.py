"""An owner asks again for the subscriptions that wait for approval: XEP-0060 section 8.7, as a command (XEP-0050)."""

from __future__ import annotations

from itertools import islice

from cluster.base.settled import until_settled
from cluster.host.disco import INFO, add_features, add_identities
from cluster.host.module import Identity, Item
from cluster.pubsub.access import check_owner
from cluster.pubsub.errors import PUBSUB, forbidden
from cluster.pubsub.service import PubsubService
from cluster.pubsub.subscribing import AUTHORIZATION, question
from cluster.store.pubsub import Node
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

COMMANDS = "http://jabber.org/protocol/commands"
GET_PENDING = f"{PUBSUB}#get-pending"
NAME = "Subscriptions that wait for approval"
MAX_ASKED = 100
"""Subscriptions for which one run of the command asks; the others come when it is run again."""
MAX_OFFERED = 100
"""Nodes in one form, of which a longer list could not be carried; the others come when these have no more that wait."""


async def run(service: PubsubService, iq: Stanza) -> Stanza:
    """Offer the owner's nodes with waiting subscriptions; with one of them, ask for each. Raises StanzaError.

    Nothing is kept between the two requests: the second one says all.
    """
    assert iq.from_ is not None
    asked, owner = iq.payload(), iq.from_
    if asked.get("node") != GET_PENDING:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"there is no command {asked.get('node', '')}")
    answer = Element(asked.tag, node=GET_PENDING, sessionid=asked.get("sessionid") or service.new_id())
    action, form = asked.get("action", "execute"), asked.find(f"{{{DATA}}}x")
    if action == "cancel" or (form is not None and form.get("type") == "cancel"):
        answer.set("status", "canceled")
    elif action not in ("execute", "next", "complete"):
        bad_action = f"{{{COMMANDS}}}bad-action"
        raise StanzaError(Condition.BAD_REQUEST, f"the command has no action {action}", detail=bad_action)
    elif form is None:
        answer.set("status", "executing")
        answer.append(_form(_nodes(service, owner)))
    else:
        node = service.node("".join(data_form.values(form).get("pubsub#node", [])))
        check_owner(node, owner)
        for jid in islice(_waiting(node), MAX_ASKED):
            await until_settled(service.send(question(service, node, jid), [owner]))
        answer.set("status", "completed")
    return iq.reply(answer)


def _nodes(service: PubsubService, owner: Jid) -> list[str]:
    """Raises StanzaError where the entity owns none (section 8.7.3.3)."""
    owned = [node for node in service.nodes.values() if node.affiliation_of(owner) == "owner"]
    if not owned:
        raise forbidden("you own no node here")
    return [*islice((node.name for node in owned if any(_waiting(node))), MAX_OFFERED)]


def _waiting(node: Node) -> list[Jid]:
    return [party.jid for party in node.parties.values() if party.subscription == "pending"]


def _form(nodes: list[str]) -> Element:
    form = data_form.new("form", AUTHORIZATION, "Of which node? There is a message for each subscription that waits.")
    field = data_form.add(form, "pubsub#node", "list-single", label="Node")
    for name in nodes:
        option = SubElement(field, f"{{{DATA}}}option")
        SubElement(option, f"{{{DATA}}}value").text = name
    return form


# --- service discovery (XEP-0050 section 2)


def listed(service: PubsubService) -> list[Item]:
    """The commands."""
    return [Item(service.jid, GET_PENDING, NAME)]


def info(name: str) -> Element | None:
    """What the node of the list, or the command, says of itself; None for another node."""
    if name not in (COMMANDS, GET_PENDING):
        return None
    kind = "command-list" if name == COMMANDS else "command-node"
    query = Element(f"{{{INFO}}}query")
    add_identities(query, [Identity("automation", kind, NAME if name == GET_PENDING else "")])
    add_features(query, [COMMANDS, DATA] if name == GET_PENDING else [])
    return query
