"""Client State Indication (XEP-0352)."""

from __future__ import annotations

import msgspec
import pytest

from cluster.modules import csi
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import SM
from cluster.xmpp.stanza import Stanza, make
from tests.network import Network
from tests.phone import managed, resume

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@montague.lit/balcony"
ACTIVE, INACTIVE = f"<active xmlns='{csi.NS}'/>", f"<inactive xmlns='{csi.NS}'/>"
STATES = "http://jabber.org/protocol/chatstates"
TYPING = f"<message to='{JULIET}' type='chat'><composing xmlns='{STATES}'/></message>"


@pytest.fixture
def friends(network: Network) -> Network:
    """Romeo and Juliet, here, and the nurse in another domain."""
    network.friends("romeo@montague.lit", "juliet@montague.lit")
    network.friends("nurse@capulet.lit", "juliet@montague.lit")
    return network


def test_it_is_offered_behind_the_login(network: Network) -> None:
    assert b'<csi xmlns="urn:xmpp:csi:0"/>' in managed(network, ROMEO).output


def test_presence_waits_and_only_the_last_of_each_is_told(friends: Network) -> None:
    romeo, nurse, juliet = friends.online(ROMEO), friends.online("nurse@capulet.lit/kitchen"), friends.online(JULIET)
    friends.say(juliet, INACTIVE)
    for show in ("away", "dnd"):
        friends.say(romeo, f"<presence><show>{show}</show></presence>")
    friends.say(nurse, "<presence type='unavailable'/>")
    friends.say(romeo, "<presence><show>xa</show></presence>")
    assert juliet.take() == []
    friends.say(juliet, ACTIVE)
    assert juliet.take() == ["presence/unavailable nurse@capulet.lit/kitchen", f"presence {ROMEO}: xa"]
    friends.say(romeo, "<presence/>")
    assert juliet.take() == [f"presence {ROMEO}"]


@pytest.mark.parametrize(
    "more",
    [
        "",
        "<no-store xmlns='urn:xmpp:hints'/>",
        "<thread>t</thread>",
        "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>",
    ],
)
def test_chat_states_wait(friends: Network, more: str) -> None:
    nurse, juliet = friends.online("nurse@capulet.lit/kitchen"), friends.online(JULIET)
    friends.say(juliet, INACTIVE)
    friends.say(nurse, TYPING.replace("</message>", f"{more}</message>"))  # with a stanza-id of our own, by the link
    assert juliet.take() == []
    friends.say(juliet, ACTIVE)
    assert juliet.take() == ["message/chat nurse@capulet.lit/kitchen"]


@pytest.mark.parametrize(
    ("stanza", "told"),
    [
        (f"<message to='{JULIET}' type='chat'><body>hi</body></message>", f"message/chat {ROMEO}: hi"),
        (TYPING.replace("<composing", "<body>hi</body><composing"), f"message/chat {ROMEO}: hi"),
        (f"<message to='{JULIET}' type='chat'/>", f"message/chat {ROMEO}"),
        (TYPING.replace("chat'>", "error'>"), f"message/error {ROMEO}"),
        (f"<iq to='{JULIET}' type='result' id='1'/>", f"iq/result {ROMEO} 1"),
    ],
)
def test_anything_else_comes_at_once_behind_what_waited(friends: Network, stanza: str, told: str) -> None:
    romeo, juliet = friends.online(ROMEO), friends.online(JULIET)
    friends.say(juliet, INACTIVE)
    friends.say(romeo, TYPING + "<presence><show>away</show></presence>" + stanza)
    assert juliet.take() == [f"message/chat {ROMEO}", f"presence {ROMEO}: away", told]
    friends.say(romeo, TYPING)
    assert juliet.take() == []  # it is still inactive


def test_a_request_is_not_kept_back(network: Network) -> None:
    romeo, juliet = network.online(ROMEO), network.online(JULIET)
    network.say(juliet, INACTIVE)
    network.say(romeo, "<presence to='juliet@montague.lit' type='subscribe'/>")
    assert juliet.take() == ["presence/subscribe romeo@montague.lit"]


def test_the_state_is_changed_before_the_next_request_is_answered(friends: Network) -> None:  # section 5.1
    romeo, juliet = friends.online(ROMEO), friends.online(JULIET)
    friends.say(juliet, INACTIVE + INACTIVE)
    friends.say(romeo, "<presence><show>away</show></presence>")
    friends.say(juliet, ACTIVE + "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert juliet.take() == [f"presence {ROMEO}: away", "iq/result p"]


def test_what_waits_is_bounded() -> None:
    inactive = csi.Inactive(lambda: None)
    presences = [make("presence", from_=Jid("a", "b", str(number))) for number in range(csi.MAX_HELD + 1)]
    assert [inactive.let_through(presence) for presence in presences[:-1]] == [[]] * csi.MAX_HELD
    assert inactive.let_through(presences[0]) == []  # the same sender again
    assert inactive.let_through(presences[-1]) == [*presences[1:-1], presences[0], presences[-1]]
    assert inactive.take() == []


def test_a_resumed_stream_is_active(friends: Network) -> None:  # section 5.2
    romeo, juliet = friends.online(ROMEO), managed(friends, JULIET)
    friends.say(juliet, f"<a xmlns='{SM}' h='0'/>" + INACTIVE)
    friends.say(romeo, "<presence><show>away</show></presence>")
    juliet.drop()
    again = resume(friends, JULIET, juliet.sm_id, 0)
    assert again.take() == [f"presence {ROMEO}: away"]
    friends.say(romeo, "<presence><show>xa</show></presence>")
    assert again.take() == [f"presence {ROMEO}: xa"]


def test_an_unknown_element_of_it(network: Network) -> None:
    client = network.client(ROMEO)
    network.say(client, f"<sleepy xmlns='{csi.NS}'/>")
    assert client.failed is not None
    assert client.failed.condition == "unsupported-stanza-type"


def test_what_is_kept_back_has_a_bound_in_bytes() -> None:
    inactive = csi.Inactive(lambda: None)
    size = csi.MAX_HELD_BYTES // 4

    def presence(name: str) -> Stanza:
        return msgspec.structs.replace(make("presence", from_=Jid("a", "b", name)), raw=b"x" * size)

    for name in "aaaabcd":  # the last of each counts
        assert inactive.let_through(presence(name)) == []
    assert inactive.let_through(presence("e")) == [presence(name) for name in "abcde"]
    assert inactive.let_through(presence("a")) == []
