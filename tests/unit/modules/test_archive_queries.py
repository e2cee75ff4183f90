"""Queries of an archive: filters, pages (XEP-0059) and its metadata (XEP-0313 section 4)."""

from __future__ import annotations

import pytest

from cluster.xmpp.extensions.mam import MAX_PAGE
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.namespaces import CLIENT, MAM
from tests.client import Client, child
from tests.network import MONTAGUE, Network
from tests.unit.modules.archives import (
    JULIET,
    MERCUTIO,
    ROMEO,
    ask,
    bodies,
    chat,
    message_of,
    query,
    refusal,
    with_contacts,
)


@pytest.fixture
def friends(network: Network) -> Network:
    return with_contacts(network)


def form(**fields: str) -> str:
    values = {"FORM_TYPE": MAM, **{name.replace("_", "-").rstrip("-"): value for name, value in fields.items()}}
    written = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in values.items())
    return f"<x xmlns='jabber:x:data' type='submit'>{written}</x>"


def page(content: str) -> str:
    return f"<set xmlns='{RSM}'>{content}</set>"


@pytest.fixture
def six(friends: Network) -> tuple[Network, Client]:
    """Six messages, a second apart: with Juliet, but the fourth with Mercutio."""
    romeo, juliet = friends.online(ROMEO), friends.online(JULIET)
    for number in range(6):
        if number == 3:
            friends.say(romeo, chat(MERCUTIO, "3"))
        else:
            friends.say(juliet, chat(ROMEO, str(number)))
        friends.advance(1)
    return friends, romeo


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "012345"),
        ({"with_": "juliet@capulet.lit"}, "01245"),
        ({"with_": MERCUTIO}, "3"),
        ({"with_": "nobody@montague.lit"}, ""),
        ({"with_": "romeo@montague.lit"}, ""),  # section 4.1.1: only what he sent to himself
        ({"start": "2023-11-14T22:13:22.125Z"}, "2345"),
        ({"end": "2023-11-14T22:13:22.125Z"}, "012"),
        ({"start": "2023-11-14T22:13:22Z", "end": "2023-11-14T22:13:24Z", "with_": "juliet@capulet.lit"}, "2"),
        ({"include_groupchat": "true"}, "012345"),
    ],
)
def test_filters(six: tuple[Network, Client], fields: dict[str, str], expected: str) -> None:
    assert bodies(*six, form(**fields)) == list(expected)


def test_the_id_filters(six: tuple[Network, Client]) -> None:
    ids = [result.get("id", "") for result in query(*six)[0]]
    assert bodies(*six, form(after_id=ids[1], before_id=ids[4])) == ["2", "3"]
    several = form(ids=ids[4]).replace("</field></x>", f"<value>{ids[0]}</value></field></x>")
    assert bodies(*six, several) == ["0", "4"]


def test_paging_forwards(six: tuple[Network, Client]) -> None:
    after, seen = "", []
    while True:
        results, fin = query(*six, page(f"<max>4</max>{after}"))
        rsm = child(fin, "set", RSM)
        first, last = child(rsm, "first", RSM), child(rsm, "last", RSM)
        assert (first.get("index"), first.text) == (str(len(seen)), results[0].get("id"))
        assert last.text == results[-1].get("id")
        assert child(rsm, "count", RSM).text == "6"
        seen += [message_of(result).findtext(f"{{{CLIENT}}}body") for result in results]
        if fin.get("complete") == "true":
            break
        after = f"<after>{last.text}</after>"
    assert seen == list("012345")


def test_paging_backwards(six: tuple[Network, Client]) -> None:
    results, fin = query(*six, page("<max>4</max><before/>"))
    assert [message_of(result).findtext(f"{{{CLIENT}}}body") for result in results] == list("2345")
    assert fin.get("complete") is None
    results, fin = query(*six, page(f"<max>4</max><before>{results[0].get('id')}</before>"))
    assert [message_of(result).findtext(f"{{{CLIENT}}}body") for result in results] == list("01")
    assert fin.get("complete") == "true"


def test_a_flipped_page(six: tuple[Network, Client]) -> None:  # section 4.3.5
    results, fin = query(*six, page("<max>4</max>") + "<flip-page/>")
    assert [message_of(result).findtext(f"{{{CLIENT}}}body") for result in results] == list("3210")
    assert child(child(fin, "set", RSM), "first", RSM).text == results[-1].get("id")


def test_only_the_count(six: tuple[Network, Client]) -> None:  # XEP-0059 section 2.7
    results, fin = query(*six, page("<max>0</max>"))
    assert results == []
    assert [(each.tag, each.text) for each in child(fin, "set", RSM)] == [(f"{{{RSM}}}count", "6")]
    assert fin.get("complete") is None


def test_a_page_is_bounded(friends: Network) -> None:
    romeo = friends.online(ROMEO)
    friends.say(romeo, chat(MERCUTIO, "x") * (MAX_PAGE + 1))
    for asked in ("", page("<max>1000</max>")):
        results, fin = query(friends, romeo, asked)
        assert len(results) == MAX_PAGE
        assert fin.get("complete") is None


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (page("<after>x</after>"), "item-not-found"),
        (page("<before>x</before>"), "item-not-found"),
        (form(after_id="x"), "item-not-found"),
        (form(ids="x"), "item-not-found"),
        (form(colour="red"), "feature-not-implemented"),
        (form(start="yesterday"), "bad-request"),
    ],
)
def test_a_query_that_cannot_be_answered(six: tuple[Network, Client], content: str, condition: str) -> None:
    network, romeo = six
    assert refusal(ask(network, romeo, "set", f"<query xmlns='{MAM}'>{content}</query>")) == condition


def test_the_form(network: Network) -> None:
    reply = ask(network, network.online(ROMEO), "get", f"<query xmlns='{MAM}'/>")
    fields = {field.get("var") for field in reply.iter("{jabber:x:data}field")}
    assert {"FORM_TYPE", "with", "start", "end", "before-id", "after-id", "ids"} <= fields


def test_the_metadata(six: tuple[Network, Client]) -> None:  # section 4.4
    network, romeo = six
    ids = [result.get("id") for result in query(network, romeo)[0]]
    reply = ask(network, romeo, "get", f"<metadata xmlns='{MAM}'/>")
    start, end = child(reply, "metadata", MAM)
    assert (start.get("id"), start.get("timestamp")) == (ids[0], "2023-11-14T22:13:20.125Z")
    assert (end.get("id"), end.get("timestamp")) == (ids[5], "2023-11-14T22:13:25.125Z")


def test_the_metadata_of_nothing(network: Network) -> None:
    reply = ask(network, network.online(ROMEO), "get", f"<metadata xmlns='{MAM}'/>")
    assert list(child(reply, "metadata", MAM)) == []


def test_nobody_reads_the_archive_of_another(six: tuple[Network, Client]) -> None:  # section 7.1
    network, _ = six
    for stranger in (MERCUTIO, JULIET):
        reply = ask(network, network.online(stranger), "set", f"<query xmlns='{MAM}'/>", "romeo@montague.lit")
        assert refusal(reply) == "forbidden"


def test_the_domain_has_no_archive(network: Network) -> None:
    reply = ask(network, network.online(ROMEO), "set", f"<query xmlns='{MAM}'/>", MONTAGUE)
    assert refusal(reply) == "service-unavailable"
