"""What the server itself pushes comes as fast as the client takes it in, and never ends its stream."""

from __future__ import annotations

import pytest

from cluster.modules.sm import RESUME_TIMEOUT_S
from cluster.streams.outbox import MAX_UNSENT_BYTES, WINDOW_BYTES
from cluster.xmpp.namespaces import CLIENT, MAM, SM
from tests.network import CAPULET, Network
from tests.phone import Phone, phone, resume

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"
TEXT = "x" * 200_000
COUNT = MAX_UNSENT_BYTES // len(TEXT) + 10
"""More than a session may have unacknowledged."""


def say(network: Network, first: int, count: int, to: str = "juliet@capulet.lit") -> None:
    romeo = network.client(ROMEO)
    for number in range(first, first + count):
        network.say(romeo, f"<message to='{to}' type='chat'><body>{number} {TEXT}</body></message>")
    romeo.close()
    network.settle()


@pytest.fixture
def crowded(network: Network) -> Network:
    """Many large messages wait for Juliet."""
    network.account(JULIET)
    say(network, 0, COUNT)
    return network


def managed(network: Network, jid: str, enable: str = "resume='true'") -> Phone:
    """A client that manages its stream before it is available, as those of the field do."""
    made = phone(network, jid)
    bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{made.jid.resourcepart}</resource></bind>"
    network.say(made, f"<iq type='set' id='b'>{bind}</iq>")
    network.say(made, f"<enable xmlns='{SM}' {enable}/>")
    network.say(made, "<presence/>")
    return made


def numbers(client: Phone) -> list[int]:
    bodies = [each.findtext(f"{{{CLIENT}}}body") for each in client.got if each.tag == f"{{{CLIENT}}}message"]
    return [int(body.split()[0]) for body in bodies if body is not None]


def acknowledge_all(network: Network, client: Phone, until: int) -> None:
    """As long as it is asked and something comes; no more than a window and a message is under way."""
    for _ in range(1000):
        before = client.handled
        network.say(client, f"<a xmlns='{SM}' h='{client.handled}'/>")
        assert (client.handled - before) * len(TEXT) <= WINDOW_BYTES + 2 * len(TEXT)
        if len(numbers(client)) == until:
            return
    raise AssertionError(f"{len(numbers(client))} of {until} came")


@pytest.mark.parametrize("enable", ["resume='true'", ""], ids=["resumable", "not resumable"])
def test_offline_messages_come_within_what_is_acknowledged(crowded: Network, enable: str) -> None:
    juliet = managed(crowded, JULIET, enable)
    assert 0 < len(numbers(juliet)) * len(TEXT) <= WINDOW_BYTES + len(TEXT)
    acknowledge_all(crowded, juliet, COUNT)
    assert numbers(juliet) == [*range(COUNT)]
    assert not juliet.is_closed
    say(crowded, COUNT, 1)
    assert numbers(juliet) == [*range(COUNT + 1)]


def test_a_client_without_management_gets_them_as_it_reads(crowded: Network) -> None:
    juliet = crowded.client(JULIET)
    juliet.reading = False
    crowded.say(juliet, "<presence/>")
    session = crowded.servers[CAPULET].domain.accounts.online["juliet"].sessions["balcony"]
    assert session.waiting_bytes <= WINDOW_BYTES + len(TEXT)
    juliet.reading = True
    crowded.settle()
    assert [int(line.split()[2]) for line in juliet.take() if line.startswith("message")] == [*range(COUNT)]


@pytest.mark.parametrize("to", ["juliet@capulet.lit", JULIET])
def test_what_comes_meanwhile_comes_behind_them(crowded: Network, to: str) -> None:
    juliet = managed(crowded, JULIET)
    say(crowded, COUNT, 3, to)
    acknowledge_all(crowded, juliet, COUNT + 3)
    assert numbers(juliet) == [*range(COUNT + 3)]


def test_a_resource_that_keeps_up_gets_what_another_does_not_take(crowded: Network) -> None:
    slow = managed(crowded, JULIET)
    fast = managed(crowded, "juliet@capulet.lit/chamber")
    taken = len(numbers(slow))
    acknowledge_all(crowded, fast, COUNT - taken)
    assert numbers(slow) + numbers(fast) == [*range(COUNT)]


@pytest.mark.parametrize("how", ["resumed", "given up", "killed"])
def test_a_stream_that_breaks_meanwhile(crowded: Network, how: str) -> None:
    juliet = managed(crowded, JULIET)
    taken = numbers(juliet)
    handled = juliet.handled - len(taken)
    if how == "killed":
        crowded.kill(CAPULET)
        crowded.start(CAPULET)
    else:
        juliet.drop()
        crowded.settle()
    say(crowded, COUNT, 2)
    if how == "given up":
        crowded.advance(RESUME_TIMEOUT_S + 1)
        again, handled = managed(crowded, JULIET), 0
        missing = [*range(COUNT + 2)]
    else:
        handled += 1
        again = resume(crowded, JULIET, juliet.sm_id, handled)
        missing = [*range(1, COUNT + 2)]
    for _ in range(1000):
        came = sum(each.tag.startswith(f"{{{CLIENT}}}") and each.get("id") != "b" for each in again.got)
        crowded.say(again, f"<a xmlns='{SM}' h='{handled + came}'/>")
        if len(numbers(again)) == len(missing):
            break
    assert numbers(again) == missing
    assert not again.is_closed


def test_presence_of_many_contacts(network: Network) -> None:
    """A client that logs in gets the presence of all of them, however much that is, and is not cut off."""
    count = MAX_UNSENT_BYTES // len(TEXT) + 10
    for number in range(count):
        contact = f"c{number}@{'capulet' if number % 2 else 'montague'}.lit"
        network.friends("juliet@capulet.lit", contact)
        client = network.client(f"{contact}/x")
        network.say(client, f"<presence><status>{TEXT}</status></presence>")
    juliet = managed(network, JULIET)

    def seen() -> set[str | None]:
        found = [each for each in juliet.got if each.tag == f"{{{CLIENT}}}presence" and each.get("type") is None]
        return {each.get("from") for each in found} - {JULIET}

    for _ in range(1000):
        network.say(juliet, f"<a xmlns='{SM}' h='{juliet.handled}'/>")
        if len(seen()) == count:
            break
    assert len(seen()) == count
    assert not juliet.is_closed


def test_pages_of_the_archive_that_are_asked_for_at_once(network: Network) -> None:
    network.account(JULIET)
    reader = managed(network, JULIET)
    say(network, 0, 10)
    network.say(reader, f"<a xmlns='{SM}' h='{reader.handled}'/>")
    query = f"<iq type='set' id='%d'><query xmlns='{MAM}'/></iq>"
    asked = 2 * MAX_UNSENT_BYTES // (10 * len(TEXT))
    network.say(reader, "".join(query % number for number in range(asked)))
    replies = [
        each.get("type") for each in reader.got if each.tag == f"{{{CLIENT}}}iq" and each.get("id", "").isdigit()
    ]
    assert len(replies) == asked
    assert {"result", "error"} == set(replies)
    assert not reader.is_closed
    network.say(reader, f"<a xmlns='{SM}' h='{reader.handled}'/>" + query % 9999)
    assert reader.got[-1].get("type") == "result" or reader.got[-2].get("type") == "result"
