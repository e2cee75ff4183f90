"""Stanza forwarding (XEP-0297), the stamps in it, and delayed delivery (XEP-0203)."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.extensions.delay import delayed
from cluster.xmpp.extensions.forward import forwarded
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, DELAY, FORWARD
from cluster.xmpp.stanza import Stanza

ROMEO = Jid.parse("romeo@montague.lit/pda")


def stanza(raw: str) -> Stanza:
    return Stanza("message", None, ROMEO, None, None, (), raw.encode())


@pytest.mark.parametrize(
    "raw",
    [
        "<message from='r'><body>hi</body></message>",
        "<message from='r' xmlns='jabber:client'><body>hi</body></message>",
        "<message from='xmlns=' id='>'><body>hi</body></message>",
        "<message from='r'><body xmlns='jabber:client'>hi</body></message>",
    ],
)
def test_the_stanza_keeps_its_namespace(raw: str) -> None:
    tree = xml.parse(forwarded(stanza(raw)))
    assert tree.tag == f"{{{FORWARD}}}forwarded"
    [message] = tree
    assert message.tag == f"{{{CLIENT}}}message"
    assert message.findtext(f"{{{CLIENT}}}body") == "hi"


def test_an_empty_stanza() -> None:
    [message] = xml.parse(forwarded(stanza("<message from='r'/>")))
    assert message.attrib == {"from": "r"}


def test_the_time_comes_first() -> None:
    delay, _ = xml.parse(forwarded(stanza("<message from='r'/>"), 1_700_000_000.125))
    assert (delay.tag, delay.get("stamp")) == (f"{{{DELAY}}}delay", "2023-11-14T22:13:20.125Z")


@pytest.mark.parametrize(
    ("text", "utc_s"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2023-11-14T22:13:20.125Z", 1_700_000_000.125),
        ("2023-11-14T23:13:20.125+01:00", 1_700_000_000.125),
        ("2023-11-14T22:13:20.1250000004Z", 1_700_000_000.125),
    ],
)
def test_times(text: str, utc_s: float) -> None:
    assert timestamp.parse(text) == utc_s


@pytest.mark.parametrize(
    "text",
    ["", "2023-11-14", "2023-11-14T22:13:20", "20231114T22:13:20Z", "2023-02-30T00:00:00Z", "٢023-11-14T22:13:20Z"],
)
def test_what_no_time_is(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of ours or of datetime's
        timestamp.parse(text)


@pytest.mark.parametrize("utc_s", [0.0, 1_700_000_000.125, 1_699_999_999.999])
def test_a_time_is_read_as_it_was_written(utc_s: float) -> None:
    assert timestamp.parse(timestamp.to_text(utc_s)) == utc_s


def test_a_delay_is_stamped_once_by_each_domain() -> None:
    first = delayed(stanza("<message from='r'/>"), "capulet.lit", 0.0)
    again = delayed(first, "capulet.lit", 5.0)
    by_another = delayed(again, "montague.lit", 5.0)
    assert [(each.get("from"), each.get("stamp")) for each in by_another.tree] == [
        ("capulet.lit", "1970-01-01T00:00:00.000Z"),
        ("montague.lit", "1970-01-01T00:00:05.000Z"),
    ]
    assert by_another.payloads == (f"{DELAY} delay",) * 2
