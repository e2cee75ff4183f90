"""Streams that are resumed with another process of the server (XEP-0198), and what becomes of those that are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred

from cluster.router.memory import MemoryLink
from cluster.store.limits import Limit
from cluster.store.memory import MemoryOffline, memory_store
from cluster.store.port import OfflineMessage
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import SM
from tests.network import CAPULET, MONTAGUE, Network, at_once
from tests.phone import managed, resume
from tests.unit.modules.kept_sessions import BALCONY, CHAMBER, h_of, kept, messages, refused
from tests.unit.modules.managed_streams import ROMEO, TIMEOUT_S, R, chat


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_stream_outlives_its_server(network: Network, how: str) -> None:
    juliet, romeo = managed(network, BALCONY), managed(network, ROMEO)
    network.say(romeo, chat(BALCONY, "1") + chat(BALCONY, "2"))
    network.say(juliet, chat(ROMEO, "a") + chat(ROMEO, "b"))
    assert (messages(juliet), messages(romeo)) == (["1", "2"], ["a", "b"])
    if how == "kill":
        network.kill(CAPULET)
        network.say(romeo, chat(BALCONY, "3") + R)
        assert romeo.last("a").get("h") == "3"  # it is safe in the link
        network.start(CAPULET)
    else:
        network.restart(CAPULET)
        network.say(romeo, chat(BALCONY, "3"))
    network.say(romeo, chat("juliet@capulet.lit", "4"))

    again = resume(network, BALCONY, juliet.sm_id, juliet.handled - 1)
    assert h_of(again) == 2
    assert messages(again) == ["2", "3", "4"]
    network.say(again, f"<a xmlns='{SM}' h='{juliet.handled + 2}'/>" + chat(ROMEO, "c") + R)
    assert again.last("a").get("h") == "3"
    assert messages(romeo) == ["c"]
    assert not again.is_closed


def test_more_than_once(network: Network) -> None:
    juliet, romeo = managed(network, BALCONY), managed(network, ROMEO)
    handled = juliet.handled
    for number in range(1, 4):
        network.kill(CAPULET)
        network.say(romeo, chat(BALCONY, str(number)))
        network.start(CAPULET)
        again = resume(network, BALCONY, juliet.sm_id, handled)
        assert messages(again) == [str(number)]
        handled += 1
        network.say(again, f"<a xmlns='{SM}' h='{handled}'/>")


def test_an_orderly_stop_says_why_and_waits_for_the_client(network: Network) -> None:
    juliet = managed(network, BALCONY)
    network.servers[CAPULET].stop()
    network.settle()
    assert b"system-shutdown" in juliet.output
    assert juliet.output.endswith(b"</stream:stream>")
    assert juliet.is_closed
    [record] = kept(network)._records["juliet"].values()
    assert record.broken_utc_s is not None


def test_its_contacts_do_not_notice(network: Network) -> None:
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    juliet = managed(network, BALCONY)
    network.say(juliet, "<presence><show>dnd</show><priority>7</priority></presence>")
    romeo = network.online(ROMEO)
    network.kill(CAPULET)
    network.start(CAPULET)
    assert romeo.take() == []
    other = network.client("romeo@montague.lit/orchard")
    network.say(other, "<presence/>")
    assert f"presence {BALCONY}: dnd 7" in other.take()


def test_who_has_had_directed_presence_hears_of_its_end(network: Network) -> None:
    juliet = managed(network, BALCONY)
    for name in ("hamlet", "ophelia"):
        network.say(juliet, f"<presence to='{name}@elsinore.lit'/>")
    network.say(juliet, "<presence to='ophelia@elsinore.lit' type='unavailable'/><presence to='yorick@elsinore.lit'/>")
    network.kill(CAPULET)
    network.start(CAPULET)
    network.forget()
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    network.say(again, "</stream:stream>")
    network.settle()
    assert sorted(network.abroad.take()) == [
        f"presence/unavailable {BALCONY} -> {name}@elsinore.lit" for name in ("hamlet", "yorick")
    ]


def test_what_it_asked_for_is_as_it_was(network: Network) -> None:
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    juliet = managed(network, BALCONY)
    network.say(
        juliet,
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"
        "<iq type='set' id='2'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
        "<iq type='get' id='3'><blocklist xmlns='urn:xmpp:blocking'/></iq>"
        "<presence to='benvolio@elsinore.lit'/>",
    )
    chamber = managed(network, CHAMBER)
    network.forget()
    network.kill(CAPULET)
    network.start(CAPULET)
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    second = resume(network, CHAMBER, chamber.sm_id, chamber.handled)
    again.take()
    network.say(second, chat(ROMEO, "hi"))
    network.say(second, "<iq type='set' id='4'><block xmlns='urn:xmpp:blocking'><item jid='a@b.lit'/></block></iq>")
    network.say(second, "<iq type='set' id='5'><query xmlns='jabber:iq:roster'><item jid='a@b.lit'/></query></iq>")
    kinds = [line.partition(" ")[0] for line in again.take()]
    assert kinds == ["message/chat", "iq/set", "push"]
    network.say(again, "</stream:stream>")
    assert f"presence/unavailable {BALCONY} -> benvolio@elsinore.lit" in network.abroad.take()


def test_what_an_inactive_client_was_not_told_it_is_told_later(network: Network) -> None:
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    network.say(juliet, "<inactive xmlns='urn:xmpp:csi:0'/>")
    network.say(romeo, "<presence><show>away</show></presence>")
    network.kill(CAPULET)
    network.start(CAPULET)
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert again.take() == [f"presence {ROMEO}: away"]


# --- time goes by


def test_a_session_waits_for_its_whole_time_once_its_server_is_back(network: Network) -> None:
    """While the server is away, no client can resume; and by the clock of another machine nobody can tell how long that
    was."""
    juliet = managed(network, BALCONY)
    juliet.drop()
    network.advance(TIMEOUT_S - 10)
    network.kill(CAPULET)
    network.advance(TIMEOUT_S)
    network.start(CAPULET)
    network.advance(TIMEOUT_S - 1)
    resume(network, BALCONY, juliet.sm_id, juliet.handled).last("resumed")


def test_a_session_whose_time_is_up_is_over(network: Network) -> None:
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    juliet, romeo = managed(network, BALCONY), network.online(ROMEO)
    juliet.drop()
    network.say(romeo, chat(BALCONY, "kept"))
    network.kill(CAPULET)
    network.say(romeo, chat("juliet@capulet.lit", "new"))
    network.start(CAPULET)
    network.advance(TIMEOUT_S + 1)
    assert romeo.take() == [f"presence/unavailable {BALCONY}"]
    late = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert refused(late)
    assert late.last("failed").get("h") == "0"
    network.say(late, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/>")
    assert messages(late) == ["kept", "new"]
    assert kept(network)._sent == {}


def test_or_its_stanzas_go_to_another_resource(network: Network) -> None:
    balcony, romeo = managed(network, BALCONY), network.online(ROMEO)
    balcony.drop()
    network.say(romeo, chat(BALCONY, "kept"))
    network.kill(CAPULET)
    network.start(CAPULET)
    chamber = network.online(CHAMBER)
    network.advance(TIMEOUT_S)
    assert messages(chamber) == ["kept"]


def test_what_two_resources_got_is_safe_with_the_one_that_is_left(network: Network) -> None:
    balcony, chamber, romeo = managed(network, BALCONY), managed(network, CHAMBER), network.online(ROMEO)
    network.say(romeo, chat("juliet@capulet.lit", "both"))
    network.kill(CAPULET)
    network.start(CAPULET)
    again = resume(network, CHAMBER, chamber.sm_id, chamber.handled - 1)
    network.advance(TIMEOUT_S)
    assert refused(resume(network, BALCONY, balcony.sm_id, balcony.handled))
    assert messages(again) == ["both"]
    again.drop()  # which did not acknowledge it either
    network.advance(TIMEOUT_S)
    late = network.client(BALCONY)
    network.say(late, "<presence/>")
    assert messages(late) == ["both"]


# --- what the link brings once more


class SlowOffline(MemoryOffline):
    """Never gets done."""

    async def push(
        self, localpart: str, message: OfflineMessage, limit: Limit, total_bytes: int = 1 << 30, *, first: bool = False
    ) -> bool:
        await Deferred()
        return True


@pytest.mark.parametrize("acknowledged", [0, 1, 2])
def test_what_was_kept_before_the_crash_is_not_sent_twice(acknowledged: int) -> None:
    """The entry was not acknowledged, because one of its stanzas was not safe yet."""
    store = replace(memory_store(), offline=SlowOffline())
    network = Network(stores={CAPULET: store})
    network.account("nurse@capulet.lit")
    juliet, chamber, romeo = managed(network, BALCONY), managed(network, CHAMBER), network.online(ROMEO)
    network.say(chamber, "<iq type='set' id='2'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    network.say(romeo, chat(BALCONY, "1") + chat(BALCONY, "2") + chat("nurse@capulet.lit", "slow"))
    handled = juliet.handled - 2 + acknowledged
    network.say(juliet, f"<a xmlns='{SM}' h='{handled}'/>")
    network.kill(CAPULET)
    network.say(romeo, chat(BALCONY, "3"))
    network.start(CAPULET)
    assert messages(resume(network, BALCONY, juliet.sm_id, handled)) == ["1", "2", "3"][acknowledged:]
    copies = resume(network, CHAMBER, chamber.sm_id, chamber.handled).take()
    assert len([line for line in copies if line.startswith("message")]) == 1  # of the third


# --- when it is over


def test_after_a_goodbye_nothing_is_kept(network: Network) -> None:
    juliet = managed(network, BALCONY)
    network.say(juliet, "</stream:stream>")
    assert kept(network)._sent == {}
    network.kill(CAPULET)
    network.start(CAPULET)
    assert refused(resume(network, BALCONY, juliet.sm_id, juliet.handled))


def test_nothing_is_kept_of_a_session_that_cannot_be_resumed(network: Network) -> None:
    juliet, romeo = managed(network, BALCONY, enable=""), network.online(ROMEO)
    network.say(romeo, chat(BALCONY, "1"))
    network.say(juliet, chat(ROMEO, "2") + R)
    assert kept(network)._sent == kept(network)._counts == {}


def test_a_removed_account_comes_back_with_no_session(network: Network) -> None:
    managed(network, BALCONY)
    network.kill(CAPULET)
    network.advance(0)
    store = network.servers[CAPULET].store
    store.accounts._accounts.clear()  # the memory's
    network.start(CAPULET)
    assert network.servers[CAPULET].domain.accounts.online == {}
    assert kept(network)._sent == {}


def test_an_anonymous_session_cannot_be_resumed() -> None:
    network = Network(anonymous=True)
    client = network.login("anonymous@montague.lit")
    network.say(client, f"<enable xmlns='{SM}' resume='true'/>")
    assert kept(network, MONTAGUE)._sent == {}


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("set_by_s", [600.0, -600.0])
def test_a_wall_clock_that_is_set_ends_no_session(network: Network, set_by_s: float, is_killed: bool) -> None:
    juliet = managed(network, BALCONY)
    juliet.drop()
    network.advance(8)
    network.wall_clock_set_by_s = set_by_s
    if is_killed:
        network.kill(CAPULET)
        network.start(CAPULET)
    network.advance(1)
    again = resume(network, BALCONY, juliet.sm_id, juliet.handled)
    assert again.got[-1].tag == f"{{{SM}}}resumed"


def test_a_wall_clock_that_was_set_back_keeps_no_session_for_longer(network: Network) -> None:
    juliet = managed(network, BALCONY)
    network.servers[CAPULET].stop()
    network.wall_clock_set_by_s = -600.0
    network.start(CAPULET)
    network.advance(TIMEOUT_S + 1)
    assert refused(resume(network, BALCONY, juliet.sm_id, juliet.handled))


def test_who_had_just_come_when_the_server_was_killed_still_hears_of_contacts(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probes of its initial presence were lost with the process, which had not counted that presence."""
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    network.online(ROMEO)
    juliet = managed(network, BALCONY, presence="")
    monkeypatch.setattr(MemoryLink, "send", lambda link, stanza: Deferred())
    network.say(juliet, "<presence/>")
    monkeypatch.undo()
    network.kill(CAPULET)
    network.start(CAPULET)
    juliet = resume(network, BALCONY, juliet.sm_id, 0)
    assert h_of(juliet) == 0
    juliet.take()
    network.say(juliet, "<presence/>")
    assert f"presence {ROMEO}" in juliet.take()
    network.say(juliet, "<presence/>")
    assert f"presence {ROMEO}" not in juliet.take(), "once"


class Unanswered(MemoryOffline):
    """Keeps a message, and its answer is lost."""

    is_lost = True

    async def push(
        self, localpart: str, message: OfflineMessage, limit: Limit, total_bytes: int = 1 << 30, *, first: bool = False
    ) -> bool:
        kept = await super().push(localpart, message, limit, total_bytes, first=first)
        if self.is_lost:
            await Deferred()
        return kept


@pytest.mark.parametrize(
    ("first", "instead"),
    [("id='1'", "id='2'><body>hi</body>"), ("id='1'", "id='1'><body>hi!</body>"), ("", "><body>ho</body>")],
)
def test_a_message_that_is_sent_in_place_of_one_that_was_not_counted_is_another_one(first: str, instead: str) -> None:
    """The client may have given up the first one (XEP-0198 section 5 only says that it should send it again)."""
    store = memory_store()
    offline = Unanswered()
    network = Network(stores={MONTAGUE: replace(store, offline=offline)})
    romeo = managed(network, ROMEO)
    network.account("benvolio@montague.lit")
    network.say(romeo, f"<message to='benvolio@montague.lit' type='chat' {first}><body>hi</body></message>{R}")
    network.kill(MONTAGUE)
    offline.is_lost = False
    network.start(MONTAGUE)
    again = resume(network, ROMEO, romeo.sm_id, romeo.handled)
    assert h_of(again) == 0
    network.say(again, f"<message to='benvolio@montague.lit' type='chat' {instead}</message>")
    page = at_once(store.archives.query(Jid.parse("romeo@montague.lit"), Query(max=10)))
    assert len({message.id for message in page.messages}) == 2


@pytest.mark.parametrize("text", ["<body>hi</body>", "<x xmlns='urn:example:not-archived'/>"])
def test_a_message_that_was_kept_and_not_counted_bears_the_same_id_again(text: str) -> None:
    """The client sends it again (section 5); XEP-0359 tells the two copies to be one message. Each archive has it
    once."""
    store = memory_store()
    offline = Unanswered()
    network = Network(stores={MONTAGUE: replace(store, offline=offline)})
    romeo = managed(network, ROMEO)
    network.account("benvolio@montague.lit")
    message = f"<message to='benvolio@montague.lit' type='chat'>{text}</message>"
    network.say(romeo, message + R)
    assert romeo.last("a").get("h") == "0"
    network.kill(MONTAGUE)
    offline.is_lost = False
    network.start(MONTAGUE)
    again = resume(network, ROMEO, romeo.sm_id, romeo.handled)
    assert h_of(again) == 0
    network.say(again, message + message)
    benvolio = managed(network, "benvolio@montague.lit/home")
    first, copy, other = [each for each in benvolio.got if each.tag.endswith("}message")]
    ids = [next(child.get("id") for child in each if child.get("id")) for each in (first, copy, other)]
    assert ids[0] == ids[1] != ids[2], "only what has the same number and the same bytes is a copy"
    if "body" in text:
        for account in ("benvolio", "romeo"):
            page = at_once(store.archives.query(Jid.parse(f"{account}@montague.lit"), Query(max=10)))
            assert page.count == 2
