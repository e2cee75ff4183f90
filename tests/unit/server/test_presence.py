"""Presence (RFC 6121 section 4): who is told what."""

from __future__ import annotations

import pytest

from cluster.server.sessions.directed import MAX_DIRECTED_BYTES
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.client import Client
from tests.conformance.rules import im
from tests.network import Network

ROMEO = "romeo@montague.lit"
CONTACTS = ["juliet@capulet.lit", "benvolio@montague.lit"]


@pytest.fixture(params=CONTACTS, ids=["abroad", "at home"])
def contact(request: pytest.FixtureRequest) -> str:
    """Somebody of another domain, and somebody of the same."""
    return str(request.param)


def test_initial_presence(network: Network, contact: str) -> None:
    network.friends(ROMEO, contact)
    balcony, chamber = network.online(f"{contact}/balcony"), network.online(f"{contact}/chamber", priority=-1)
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, "<presence><show>dnd</show><status>Wooing</status><priority>1</priority></presence>")
    seen = [f"presence {ROMEO}/pda: dnd Wooing 1"]  # sections 4.2.2 and 4.2.3
    assert (balcony.take(), chamber.take()) == (seen, seen)
    # section 4.3.2: to the probe comes the presence of each available resource; section 4.2.2: and to itself
    assert sorted(romeo.take()) == [
        f"presence {contact}/balcony",
        f"presence {contact}/chamber: -1",
        f"presence {ROMEO}/pda: dnd Wooing 1",
    ]


@im("4.3", "MUST", "A probe between servers is from one bare JID to another.")
@pytest.mark.parametrize(
    ("subscription", "asks", "tells"), [("none", 0, 0), ("to", 1, 0), ("from", 0, 1), ("both", 1, 1)]
)
def test_who_is_asked_and_who_is_told(network: Network, subscription: str, asks: int, tells: int) -> None:
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription=subscription)
    network.contact(ROMEO, "ophelia@elsinore.lit", pending_out=True)
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, "<presence/>")
    probe = [f"presence/probe {ROMEO} -> hamlet@elsinore.lit"] * asks  # section 4.3.1: from a bare JID to a bare JID
    probe += [f"presence/subscribe {ROMEO} -> ophelia@elsinore.lit"]  # section 3.1.2: unanswered so far
    here = [f"presence {ROMEO}/pda -> hamlet@elsinore.lit"] * tells
    assert sorted(network.abroad.take()) == sorted(probe + here)
    network.say(romeo, "<presence><show>away</show></presence>")  # section 4.4.2: told, not asked again
    assert network.abroad.take() == [f"presence {ROMEO}/pda: away -> hamlet@elsinore.lit"] * tells
    network.say(romeo, "<presence type='unavailable'><status>Exit</status></presence>")  # section 4.5.2
    assert network.abroad.take() == [f"presence/unavailable {ROMEO}/pda: Exit -> hamlet@elsinore.lit"] * tells
    network.say(romeo, "<presence type='unavailable'/>")
    assert network.abroad.take() == []


@pytest.mark.parametrize("how", ["goodbye", "drop", "unavailable first"])
def test_the_end_of_a_stream_is_told_once(network: Network, contact: str, how: str) -> None:
    network.friends(ROMEO, contact)
    other, phone = network.online(f"{contact}/x"), network.online(f"{ROMEO}/phone")
    romeo = network.online(f"{ROMEO}/pda")
    if how == "drop":
        romeo.drop()
    else:
        if how == "unavailable first":
            romeo.send("<presence type='unavailable'/>")
        romeo.close()
    network.settle()
    gone = [f"presence/unavailable {ROMEO}/pda"]  # section 4.5.2
    assert (other.take(), phone.take()) == (gone, gone)


def test_own_resources_see_each_other(network: Network) -> None:
    pda = network.online(f"{ROMEO}/pda", priority=1)
    network.client(f"{ROMEO}/mute")
    phone = network.client(f"{ROMEO}/phone")
    network.say(phone, "<presence><show>away</show></presence>")
    assert sorted(phone.take()) == [f"presence {ROMEO}/pda: 1", f"presence {ROMEO}/phone: away"]
    assert pda.take() == [f"presence {ROMEO}/phone: away"]
    assert all(stanza.get("to") for stanza in pda.stanzas)


def test_a_full_jid_and_a_bare_one(network: Network, contact: str) -> None:
    x, y, mute = (network.online(f"{contact}/x"), network.online(f"{contact}/y"), network.client(f"{contact}/mute"))
    romeo = network.client(f"{ROMEO}/pda")
    resources = (x, y, mute)

    def reached(to: str, type: str = "") -> list[int]:
        network.say(romeo, f"<presence to='{to}'{type}/>")
        return [len(resource.take()) for resource in resources]

    for type in ("", " type='unavailable'"):
        assert reached(contact, type) == [1, 1, 0]  # section 8.5.2.1.2
        assert reached(f"{contact}/x", type) == [1, 0, 0]  # section 8.5.3.1
        assert reached(f"{contact}/gone", type) == [0, 0, 0]  # section 8.5.3.2.2
        assert reached("nobody@capulet.lit", type) == [0, 0, 0]  # section 8.5.1
    assert romeo.take() == []


@im("4.6.1", "SHOULD", "Who sends unavailable presence is taken from the list of directed presence.")
@pytest.mark.parametrize("was_available", [True, False])
@pytest.mark.parametrize("how", ["drop", "goodbye", "unavailable"])
def test_directed_presence_is_taken_back_at_the_end(network: Network, was_available: bool, how: str) -> None:
    romeo = network.online(f"{ROMEO}/pda") if was_available else network.client(f"{ROMEO}/pda")  # section 4.6.3
    for to in ("hamlet@elsinore.lit/a", "ophelia@elsinore.lit", "yorick@elsinore.lit"):
        network.say(romeo, f"<presence to='{to}'/>")
    network.say(romeo, "<presence to='yorick@elsinore.lit' type='unavailable'/>")
    network.forget()
    if how == "drop":
        romeo.drop()
    elif how == "goodbye":
        romeo.close()
    else:
        romeo.send("<presence type='unavailable'/>")
    network.settle()
    told = {f"presence/unavailable {ROMEO}/pda -> {to}" for to in ("hamlet@elsinore.lit/a", "ophelia@elsinore.lit")}
    assert sorted(network.abroad.take()) == sorted(told)


def test_directed_presence_to_a_contact_before_the_broadcast_is_taken_back(network: Network) -> None:
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription="both")  # section 4.6.3
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, "<presence to='hamlet@elsinore.lit'/>")
    romeo.drop()
    network.settle()
    assert network.abroad.take() == [
        f"presence {ROMEO}/pda -> hamlet@elsinore.lit",
        f"presence/unavailable {ROMEO}/pda -> hamlet@elsinore.lit",
    ]


def test_a_contact_that_had_both_kinds_of_presence_is_told_once(network: Network) -> None:
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription="both")
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, "<presence to='hamlet@elsinore.lit'/>")
    network.forget()
    romeo.drop()
    network.settle()
    assert network.abroad.take() == [f"presence/unavailable {ROMEO}/pda -> hamlet@elsinore.lit"]


def test_directed_presence_has_a_bound_in_bytes(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")
    resource = "x" * 1_000
    network.say(romeo, "".join(f"<presence to='o{number}@elsinore.lit/{resource}'/>" for number in range(100)))
    told = [f"o{number}@elsinore.lit/{resource}" for number in range(100)]
    there_is_room_for = len(network.abroad.take())
    assert there_is_room_for == MAX_DIRECTED_BYTES // len(told[-1])
    refused = [f"presence/error {to}: wait resource-constraint" for to in told[there_is_room_for:]]
    assert romeo.take() == refused
    network.say(romeo, f"<presence to='{told[0]}'><show>away</show></presence>")  # one that had it has it again
    network.say(romeo, f"<presence to='{told[1]}' type='unavailable'/><presence to='{told[-1]}'/>")
    assert len(network.abroad.take()) == 3
    romeo.drop()
    network.settle()
    gone = {line.rpartition(" ")[2] for line in network.abroad.take()}
    assert gone == {told[0], *told[2:there_is_room_for], told[-1]}


def test_broadcasts_do_not_go_to_whom_presence_was_directed(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")  # section 4.6.3
    network.say(romeo, "<presence to='hamlet@elsinore.lit'/>")
    network.forget()
    network.say(romeo, "<presence><show>xa</show></presence>")
    assert network.abroad.take() == []


def probe(network: Network, to: str) -> list[str]:
    network.abroad.send(make("presence", from_=Jid.parse("hamlet@elsinore.lit"), to=Jid.parse(to), type="probe"))
    network.settle()
    return network.abroad.take()


def test_a_probe_of_who_may_not_know_ends_its_subscription(network: Network) -> None:
    network.online(f"{ROMEO}/pda")  # section 4.3.2, rule 1
    network.contact("benvolio@montague.lit", "hamlet@elsinore.lit", subscription="to")
    for asked in ("romeo", "benvolio", "nobody"):
        bare = f"{asked}@montague.lit"
        assert probe(network, bare) == [f"presence/unsubscribed {bare} -> hamlet@elsinore.lit"]
        assert probe(network, f"{bare}/pda") == [f"presence/unsubscribed {bare} -> hamlet@elsinore.lit"]


@pytest.mark.parametrize("subscription", ["from", "both"])
def test_a_probe_of_who_may_know(network: Network, subscription: str) -> None:
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription=subscription)  # section 4.3.2, rules 2 to 4
    assert probe(network, ROMEO) == [f"presence/unavailable {ROMEO} -> hamlet@elsinore.lit"]
    connected = network.client(f"{ROMEO}/mute")
    assert probe(network, ROMEO) == [f"presence/unavailable {ROMEO} -> hamlet@elsinore.lit"]
    network.online(f"{ROMEO}/pda", priority=3)
    network.online(f"{ROMEO}/phone")
    shown = [f"presence {ROMEO}/pda: 3 -> hamlet@elsinore.lit", f"presence {ROMEO}/phone -> hamlet@elsinore.lit"]
    assert probe(network, ROMEO) == shown
    assert probe(network, f"{ROMEO}/phone") == shown[1:]
    assert connected.take() == []


@pytest.mark.parametrize(
    "bad",
    [
        "<priority>128</priority>", "<priority>-129</priority>", "<priority>high</priority>",
        "<priority>1_0</priority>", "<priority>1.0</priority>", "<priority>٣</priority>",
        "<show>online</show>", "<show>Away</show>",
    ],
)  # fmt: skip
def test_a_bad_priority_or_show_changes_nothing(network: Network, bad: str) -> None:
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription="both")
    romeo = network.online(f"{ROMEO}/pda", priority=5)  # sections 4.7.2.1 and 4.7.2.3
    network.say(romeo, f"<presence>{bad}</presence>")
    assert romeo.take() == ["presence/error: modify bad-request"]
    assert network.abroad.take() == []
    assert probe(network, ROMEO) == [f"presence {ROMEO}/pda: 5 -> hamlet@elsinore.lit"]


@pytest.mark.parametrize("empty", ["<show/>", "<show></show><status></status>", "<priority/>", "<show/><priority/>"])
def test_what_is_empty_is_not_said(network: Network, empty: str) -> None:
    """As go-xmpp, Debian's go-sendxmpp, says it: presence that is refused would leave it without its messages."""
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription="both")
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, f"<presence>{empty}</presence>")
    assert romeo.take() == [f"presence {ROMEO}/pda"]
    network.abroad.stanzas.clear()
    assert probe(network, ROMEO) == [f"presence {ROMEO}/pda -> hamlet@elsinore.lit"]


@pytest.mark.parametrize("priority", ["-128", "127", "+7", " 0 "])
def test_the_whole_range_of_priorities(network: Network, priority: str) -> None:
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, f"<presence><priority>{priority}</priority></presence>")
    [session] = network.servers["montague.lit"].domain.accounts.online["romeo"].sessions.values()
    assert session.priority == int(priority)


def test_a_probe_is_no_reason_for_an_error(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")  # section 4.3
    network.say(romeo, "<presence type='probe' to='hamlet@elsinore.lit'/>")
    assert romeo.take() == []
    assert network.abroad.take() == [f"presence/probe {ROMEO}/pda -> hamlet@elsinore.lit"]


@pytest.mark.parametrize("type", ["invisible", "available"])
@pytest.mark.parametrize("to", ["", " to='hamlet@elsinore.lit'"])
def test_a_type_that_is_not_a_clients(network: Network, type: str, to: str) -> None:
    romeo = network.online(f"{ROMEO}/pda")  # section 4.7.1
    network.say(romeo, f"<presence type='{type}'{to}/>")
    [said] = romeo.take()
    assert said.endswith("modify bad-request")
    assert network.abroad.take() == []


@pytest.mark.parametrize("type", ["subscribe", "subscribed", "unsubscribe", "unsubscribed"])
def test_a_subscription_without_an_address(network: Network, type: str) -> None:
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, f"<presence type='{type}'/>")
    assert romeo.take() == ["presence/error: modify bad-request"]


def test_presence_is_passed_on_as_it_is(network: Network) -> None:
    network.contact(ROMEO, "hamlet@elsinore.lit", subscription="from")
    romeo = network.client(f"{ROMEO}/pda")
    caps = "<c xmlns='http://jabber.org/protocol/caps' node='https://example.org' hash='sha-1' ver='x'/>"
    network.say(romeo, f"<presence xml:lang='de' id='p1'>{caps}</presence>")
    [stanza] = network.abroad.stanzas
    assert stanza.raw.endswith(f" xml:lang='de' id='p1'>{caps}</presence>".encode())
    assert stanza.tree.get("to") == "hamlet@elsinore.lit"


def test_errors_are_passed_on_and_never_answered(network: Network, contact: str) -> None:
    romeo: Client = network.online(f"{ROMEO}/pda")
    other = network.online(f"{contact}/x")
    error = "<error type='wait'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    network.say(romeo, f"<presence type='error' to='{contact}/x'>{error}</presence>")
    network.say(romeo, f"<presence type='error' to='{contact}/gone'>{error}</presence>")
    assert other.take() == [f"presence/error {ROMEO}/pda: wait gone"]
    assert romeo.take() == []


def test_presence_to_the_own_account(network: Network) -> None:
    pda, phone = network.online(f"{ROMEO}/pda"), network.online(f"{ROMEO}/phone")
    network.forget()
    network.say(pda, f"<presence to='{ROMEO}'><show>away</show></presence>")
    assert (pda.take(), phone.take()) == ([f"presence {ROMEO}/pda: away"], [f"presence {ROMEO}/pda: away"])
