"""An owner asks again for the subscriptions that wait for approval (XEP-0060 section 8.7, XEP-0050)."""

from __future__ import annotations

import pytest

from cluster.host.disco import INFO, ITEMS
from cluster.pubsub import pending
from cluster.pubsub.errors import PUBSUB
from cluster.pubsub.pending import COMMANDS, GET_PENDING
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT
from tests.client import Client, child
from tests.network import Network
from tests.pubsub import Asked, events, form
from tests.unit.services.pubsub.stage import BENVOLIO, JULIET, PUBSUB_DOMAIN, ROMEO, Stage

SUBMITTED = "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#node'><value>club</value></field></x>"


def sent(network: Network, client: Client, payload: str, *, type: str = "set", to: str = PUBSUB_DOMAIN) -> Element:
    """The reply to a request; what else the client got is kept."""
    network.say(client, f"<iq to='{to}' type='{type}' id='asked'>{payload}</iq>")
    network.advance(0.1)
    [reply] = [each for each in client.stanzas if each.get("id") == "asked"]
    client.stanzas.remove(reply)
    return reply


def command(inner: str = "", action: str = "execute", node: str = GET_PENDING) -> str:
    return f"<command xmlns='{COMMANDS}' node='{node}' action='{action}'>{inner}</command>"


def condition(reply: Element) -> str:
    return xml.split(child(reply, "error", CLIENT)[0].tag)[1]


def offered(reply: Element) -> list[str | None]:
    return [each.text for each in reply.iter("{jabber:x:data}value")][1:]  # after FORM_TYPE


@pytest.fixture
def club(stage: Stage, ask: Asked) -> Stage:
    """Two wait for the approval of Romeo, who was away when they subscribed."""
    ask.create(stage.romeo, "club", access_model="authorize")
    ask.create(stage.romeo, "open house")
    for client in (stage.juliet, stage.benvolio):
        ask.subscribe(client, "club")
    stage.settle()
    stage.romeo.take()
    return stage


def test_the_owner_is_asked_again_and_approves(club: Stage) -> None:
    first = sent(club.network, club.romeo, command())
    answer = child(first, "command", COMMANDS)
    assert (answer.get("status"), answer.get("node")) == ("executing", GET_PENDING)
    assert answer.get("sessionid")
    assert offered(first) == ["club"]
    second = child(sent(club.network, club.romeo, command(SUBMITTED)), "command", COMMANDS)
    assert second.get("status") == "completed"
    club.settle()
    questions = [each for each in club.romeo.stanzas if each.find("{jabber:x:data}x") is not None]
    assert [each.findtext(f"{{{CLIENT}}}body", "").partition(" ")[0] for each in questions] == [
        "juliet@capulet.lit", "benvolio@montague.lit",
    ]  # fmt: skip
    shown = form(f"{PUBSUB}#subscribe_authorization", node="club", subscriber_jid="juliet@capulet.lit", allow="1")
    club.say(club.romeo, f"<message to='{PUBSUB_DOMAIN}' id='{questions[0].get('id')}'>{shown}</message>")
    assert events(club.juliet) == ["club juliet@capulet.lit subscribed"]


def test_one_run_asks_for_so_many_only(club: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_ASKED", 1)
    sent(club.network, club.romeo, command(SUBMITTED))
    assert len([each for each in club.romeo.stanzas if each.find("{jabber:x:data}x") is not None]) == 1


def test_one_form_offers_so_many_only(club: Stage, ask: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it could not be carried to another domain."""
    monkeypatch.setattr(pending, "MAX_OFFERED", 1)
    ask.create(club.romeo, "second club", access_model="authorize")
    ask.subscribe(club.juliet, "second club")
    assert offered(sent(club.network, club.romeo, command())) == ["club"]


def test_others_are_refused(club: Stage) -> None:
    assert condition(sent(club.network, club.juliet, command())) == "forbidden"
    assert condition(sent(club.network, club.juliet, command(SUBMITTED))) == "forbidden"
    gone = SUBMITTED.replace("club", "gone")
    assert condition(sent(club.network, club.romeo, command(gone))) == "item-not-found"
    assert condition(sent(club.network, club.romeo, command(node="reboot"))) == "item-not-found"
    assert condition(sent(club.network, club.romeo, command(action="prev"))) == "bad-request"


def test_it_is_cancelled(club: Stage) -> None:
    answer = child(sent(club.network, club.romeo, command(action="cancel")), "command", COMMANDS)
    assert answer.get("status") == "canceled"


def test_it_is_listed(club: Stage) -> None:
    listed = sent(club.network, club.juliet, f"<query xmlns='{ITEMS}' node='{COMMANDS}'/>", type="get")
    [item] = listed.iter(f"{{{ITEMS}}}item")
    assert (item.get("jid"), item.get("node")) == (PUBSUB_DOMAIN, GET_PENDING)
    told = sent(club.network, club.juliet, f"<query xmlns='{INFO}' node='{GET_PENDING}'/>", type="get")
    [identity] = told.iter(f"{{{INFO}}}identity")
    assert (identity.get("category"), identity.get("type")) == ("automation", "command-node")
    service = sent(club.network, club.juliet, f"<query xmlns='{INFO}'/>", type="get")
    features = {each.get("var") for each in service.iter(f"{{{INFO}}}feature")}
    assert {COMMANDS, f"{PUBSUB}#get-pending"} <= features


def test_an_account_has_it_for_its_own_nodes() -> None:
    network = Network()
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    romeo, juliet = network.online(ROMEO), network.online(JULIET)
    ask = Asked(network)
    own = "romeo@montague.lit"
    ask.create(romeo, "club", access_model="authorize")
    assert ask.subscribe(juliet, "club", to=own) == "pending"
    network.advance(0.1)
    romeo.take()
    assert offered(sent(network, romeo, command(), to=own)) == ["club"]
    answer = child(sent(network, romeo, command(SUBMITTED), to=own), "command", COMMANDS)
    assert answer.get("status") == "completed"
    assert condition(sent(network, juliet, command(), to=own)) in ("forbidden", "service-unavailable")
    assert condition(sent(network, network.online(BENVOLIO), command(), to=own)) in ("forbidden", "service-unavailable")
