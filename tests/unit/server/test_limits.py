"""Whatever a client may send at its limits passes every next hop, or comes back: no stream ends for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import CARRIED, ENTERING_BYTES, FROM_CLIENT, FROM_COMPONENT, MAX_NAMESPACE, TO_COMPONENT
from cluster.xmpp.namespaces import CLIENT, STANZA_ERRORS
from cluster.xmpp.stanza import Stanza, make
from tests.client import Client
from tests.components import ComponentPeer
from tests.network import CAPULET, ELSINORE, MONTAGUE, Network, watched_log
from tests.unit.server.component_network import PHONE, SECRET, SMS, join, with_components

LIMITED = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
LONG = "urn:" + "x" * (MAX_NAMESPACE - 4)

# --- stanzas at the limit


def attributes(count: int) -> str:
    return "<b " + " ".join(f"a{number}=''" for number in range(count)) + "/>"


FRAGMENTS: dict[str, Callable[[int], str]] = {
    "text": lambda room: "x" * room,
    "signs that need no escape": lambda room: ">" * room,
    "references": lambda room: "&amp;" * (room // 5),
    "numbered references": lambda room: "&#38;" * (room // 5),
    "CDATA": lambda room: f"<![CDATA[{'&' * (room - 12)}]]>",
    "elements": lambda room: "<b/>" * min(room // 4, 9_900),
    "prefixes": lambda room: "<p:b/>" * min(room // 6, 9_900),
    "long namespace": lambda room: (
        f"<b xmlns='{LONG}'>" + "<c xmlns=''/><d/>" * 3_000 + "</b>" if room > 57_000 else ""
    ),
    "long prefixes": lambda room: f"<b xmlns:l='{LONG}'>{'<l:c/><d/>' * 3_000}</b>" if room > 33_000 else "",
    "attributes": lambda room: attributes(min(room // 9 - 2, 9_900)),
    "quotes in an attribute": lambda room: f"<b a='&apos;{chr(34) * (room - 15)}'/>",
    "depth": lambda room: "<b>" * 30 + "</b>" * 30,
    "names": lambda room: f"<{'b' * (room // 2 - 3)}></{'b' * (room // 2 - 3)}>",
    "another's id": lambda room: "<stanza-id xmlns='urn:xmpp:sid:0' by='montague.lit' id='1'/>",
}


def stanza(to: str, fragments: list[str], *, size: int = FROM_CLIENT.max_bytes, type: str = "chat") -> str:
    """A message that is as large as these make it, up to `size` bytes."""
    begin = f"<message to='{to}' type='{type}' id='m1' xmlns:p='urn:p'><body>hi</body><x xmlns='urn:x'>"
    end = "</x></message>"
    content, nodes = "", 20
    for name in fragments:
        room = size - len(begin) - len(end) - len(content.encode())
        made = FRAGMENTS[name](room) if room > 20 else ""
        nodes += made.count("=") + made.count("<")
        if len(made.encode()) <= room and nodes <= FROM_CLIENT.max_nodes:
            content += made
    return begin + content + end


mixtures = st.lists(st.sampled_from([*FRAGMENTS]), min_size=1, max_size=4)


@pytest.fixture
def network() -> Iterator[Network]:
    yield from with_components()


def fresh() -> Network:
    return Network(components={SMS: SECRET})


def came_or_came_back(sender: Client, got: list[Element], count: int = 1) -> None:
    """Nothing broke, and nothing vanished."""
    assert not sender.is_closed
    assert sender.failed is None
    refusals = [each for each in sender.stanzas if each.get("type") == "error"]
    assert len(got) + len(refusals) == count
    for refusal in refusals:
        error = refusal.find(f"{{{CLIENT}}}error")
        assert error is not None
        assert error.find(f"{{{STANZA_ERRORS}}}policy-violation") is not None
        assert len(xml.serialize(refusal)) <= FROM_CLIENT.max_bytes


def messages(client: Client) -> list[Element]:
    return [each for each in client.stanzas if each.tag.endswith("}message") and each.get("type") != "error"]


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("receiver", ["juliet@capulet.lit", "benvolio@montague.lit"])
def test_to_clients(network: Network, name: str, receiver: str) -> None:
    """Over a link or not, also to a client that was away (XEP-0203), and by its archive (XEP-0313)."""
    romeo, _ = network.online("romeo@montague.lit/pda"), network.friends("romeo@montague.lit", receiver)
    network.say(romeo, stanza(receiver, [name]))
    late = network.client(f"{receiver}/late")
    network.say(late, "<presence/>")
    came_or_came_back(romeo, messages(late))
    network.say(romeo, stanza(f"{receiver}/late", [name]))
    came_or_came_back(romeo, messages(late), 2)
    late.stanzas.clear()
    network.say(late, "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
    assert not late.is_closed
    assert late.stanzas[-1].get("type") == "result"


def refused(client: Client) -> bool:
    return any(each.get("type") == "error" for each in client.stanzas)


@LIMITED
@given(mixtures)
def test_carbons(mixture: list[str]) -> None:
    network = fresh()
    romeo, other = network.online("romeo@montague.lit/pda"), network.online("romeo@montague.lit/home")
    juliet, away = network.online("juliet@capulet.lit/balcony"), network.online("juliet@capulet.lit/chamber")
    for client in (other, away):
        network.say(client, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    network.forget()
    network.say(romeo, stanza(str(juliet.jid), mixture))
    came_or_came_back(romeo, messages(juliet))
    assert not other.is_closed
    assert not away.is_closed
    if not refused(romeo):
        assert len(messages(away)) == len(messages(other)) == 1


@pytest.mark.parametrize("sender", ["romeo@montague.lit/pda", "juliet@capulet.lit/balcony"])
@LIMITED
@given(mixture=mixtures)
def test_to_a_component_and_back(sender: str, mixture: list[str]) -> None:
    """Also where it answers with an error around all that it was sent, as foreign components do."""
    network = fresh()
    component, client = join(network), network.online(sender)
    network.say(client, stanza(PHONE, mixture))
    assert component.closed is None
    got = [each for each in component.stanzas if each.kind == "message"]
    came_or_came_back(client, [each.tree for each in got])
    for each in got:
        client.stanzas.clear()
        network.say(component, wire(component, around(each)))
        assert component.closed is None
        assert refused(client)
        assert not client.is_closed


def around(message: Stanza) -> Stanza:
    """An error with all of the message in it."""
    error = Element(f"{{{CLIENT}}}error", type="wait")
    SubElement(error, f"{{{STANZA_ERRORS}}}resource-constraint")
    tree = message.tree
    return make("message", to=message.from_, from_=message.to, id=message.id, type="error", payload=[*tree, error])


def wire(component: ComponentPeer, made: Stanza) -> bytes:
    component._stream.send(made)
    return component._stream.data_to_send()


@pytest.mark.parametrize("name", FRAGMENTS)
def test_the_steps_are_large_enough(network: Network, name: str) -> None:
    """What the edge accepts is refused for no other reason than that it grows when it is written without CDATA."""
    component, romeo = join(network), network.online("romeo@montague.lit/pda")
    network.say(romeo, stanza(PHONE, [name]))
    assert refused(romeo) == (name in ("CDATA", "quotes in an attribute"))
    assert len(component.stanzas) == (not refused(romeo))


def test_what_goes_to_a_component_in_another_form_fits(network: Network) -> None:
    """Small stanzas may grow on the way; larger ones are written in full before they are compared."""
    component, romeo = join(network), network.online("romeo@montague.lit/pda")
    for name in ("CDATA", "quotes in an attribute", "prefixes"):
        network.say(romeo, stanza(PHONE, [name], size=CARRIED.max_bytes // 14 - 200))
    assert not refused(romeo)
    assert len(component.stanzas) == 3


# --- answers


def test_an_answer_that_is_too_large_becomes_an_error(network: Network) -> None:
    """Or who asked would wait for ever."""
    component, romeo = join(network), network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<iq type='get' to='{PHONE}' id='q1'><q xmlns='urn:x'/></iq>")
    answer = (
        f"<iq type='result' from='{PHONE}' to='{romeo.jid}' id='q1'><q xmlns='urn:x'>{'x' * ENTERING_BYTES}</q></iq>"
    )
    network.say(component, answer)
    assert romeo.take() == [f"iq/error {PHONE} q1: modify policy-violation"]
    assert component.closed is None


def test_an_error_that_is_too_large_keeps_its_condition(network: Network) -> None:
    component, romeo = join(network), network.online("romeo@montague.lit/pda")
    error = around(make("message", from_=romeo.jid, to=Jid.parse(PHONE), payload=[_large(ENTERING_BYTES)]))
    network.say(component, wire(component, error))
    assert romeo.take() == [f"message/error {PHONE}: wait resource-constraint"]


def _large(size: int) -> Element:
    body = Element(f"{{{CLIENT}}}body")
    body.text = "x" * size
    return body


def test_a_text_that_quotes_the_peer_is_cut() -> None:
    message = make("message", to=Jid.parse(PHONE), from_=Jid.parse("romeo@montague.lit/pda"))
    assert len(message.error(StanzaError(Condition.BAD_REQUEST, "x" * 1_000_000)).raw) < 2_000


# --- what a link may bring


@pytest.mark.parametrize(
    "content",
    [
        "x" * (CARRIED.max_bytes + 1),
        "<b>" * 2_000 + "</b>" * 2_000,
        "<b/>" * (CARRIED.max_nodes + 5),
        attributes(CARRIED.max_nodes + 5),
    ],
    ids=["bytes", "depth", "elements", "attributes"],
)
def test_another_domain_is_held_to_the_same(network: Network, content: str) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    raw = f'<message from="hamlet@{ELSINORE}" to="juliet@capulet.lit">{content}</message>'.encode()
    made = make("message", from_=Jid.parse(f"hamlet@{ELSINORE}"), to=Jid.parse("juliet@capulet.lit"))
    with watched_log() as failures:
        network.abroad.send(Stanza(made.kind, made.to, made.from_, None, None, (), raw))
        network.abroad.send(made)
        network.settle()
    assert not failures
    assert len(juliet.stanzas) == 1
    assert network.servers[CAPULET].domain.name == CAPULET


def test_a_deep_stanza_of_another_domain_ends_no_component(network: Network) -> None:
    """Though it is too short to be counted at the link."""
    component = join(network)
    depth = TO_COMPONENT.max_depth + 5
    raw = f'<message from="hamlet@{ELSINORE}" to="{PHONE}">{"<b>" * depth}{"</b>" * depth}</message>'.encode()
    made = make("message", from_=Jid.parse(f"hamlet@{ELSINORE}"), to=Jid.parse(PHONE))
    network.abroad._router.link(MONTAGUE).send(Stanza(made.kind, made.to, made.from_, None, None, (), raw))
    network.settle()
    assert component.closed is None
    assert network.abroad.take() == [f"message/error {PHONE}: modify policy-violation -> hamlet@{ELSINORE}"]


def test_each_step_has_room_for_the_one_before() -> None:
    steps = (FROM_CLIENT, CARRIED, TO_COMPONENT, FROM_COMPONENT)
    for before, after in itertools.pairwise(steps):
        assert before.max_bytes < after.max_bytes
        assert before.max_depth < after.max_depth
        assert before.max_nodes < after.max_nodes
