"""The trace id in the XML of a stanza."""

from __future__ import annotations

import msgspec
import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.probe import (
    MAX_ID_CHARACTERS,
    probe_id,
    with_probe,
    with_trace,
    without_probe,
    without_trace,
)
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import PROBE
from cluster.xmpp.stanza import Stanza, make, opening, payload_names
from tests.unit.xmpp.parsing import children

ROMEO = Jid.parse("romeo@montague.lit/pda")


def message(raw: str, trace_id: str = "t1") -> Stanza:
    begin = opening("message", ROMEO)
    return Stanza("message", None, ROMEO, None, None, (), begin + raw.encode(), trace_id)


@pytest.mark.parametrize("rest", ["/>", "></message>", " />", "><body>&lt;/message></body></message>", "></message >"])
def test_the_id_is_added_as_the_last_child(rest: str) -> None:
    followed = with_probe(message(rest))
    assert probe_id(followed) == "t1"
    assert followed.payloads == (f"{PROBE} probe",)
    assert followed.tree[-1].tag == f"{{{PROBE}}}probe"
    assert followed.raw.startswith(opening("message", ROMEO))
    assert with_probe(followed) is followed


def test_an_id_is_quoted() -> None:
    assert probe_id(with_probe(message("/>", "'\"<&>"))) == "'\"<&>"


def test_what_is_not_followed_stays_as_it_is() -> None:
    plain = message("/>", "")
    assert with_probe(plain) is plain
    assert probe_id(plain) == ""


def test_an_iq_gets_no_second_child() -> None:  # RFC 6120 section 8.2.3
    request = make("iq", from_=ROMEO, id="1", type="get", payload=[Element("{urn:xmpp:ping}ping")])
    request = msgspec.structs.replace(request, trace_id="t1")
    assert with_probe(request) is request


def test_a_long_id_is_cut() -> None:
    probe = Element(f"{{{PROBE}}}probe", id="x" * 1000)
    assert probe_id(make("message", payload=[probe])) == "x" * MAX_ID_CHARACTERS


def test_a_probe_without_id_is_none() -> None:
    assert probe_id(make("message", payload=[Element(f"{{{PROBE}}}probe")])) == ""


def test_it_can_be_taken_away() -> None:
    plain = without_probe(with_probe(message("><body>hi</body></message>")))
    assert probe_id(plain) == ""
    assert [child.tag for child in plain.tree] == ["{jabber:client}body"]
    assert plain.raw.startswith(opening("message", ROMEO))


@pytest.mark.parametrize(
    ("content", "id", "left"),
    [
        (f"<body>hi</body><probe xmlns='{PROBE}' id='t1'/>", "t1", "<body>hi</body>"),
        (f'<body>hi</body><probe xmlns="{PROBE}" id="t1"/>', "t1", "<body>hi</body>"),
        (f"<probe id='t1' xmlns='{PROBE}'/><body>hi</body>", "t1", "<body>hi</body>"),
        (f"<body>hi</body><probe xmlns='{PROBE}' id='&lt;'></probe>", "<", "<body>hi</body>"),
        (f"<probe xmlns='{PROBE}' id='t1'/><probe xmlns='{PROBE}' id='t2'/>", "t1", ""),
        (f"<x><probe xmlns='{PROBE}' id='no'/></x><p:probe xmlns:p='{PROBE}' id='t1'/>", "t1", "<x><probe/></x>"),
    ],
)
def test_wherever_and_however_it_is_written(content: str, id: str, left: str) -> None:
    [written] = children(f"<message>{content}</message>".encode())
    stanza = Stanza("message", None, ROMEO, None, None, written.payloads, written.raw)
    assert probe_id(stanza) == id
    plain = without_probe(stanza)
    assert probe_id(plain) == ""
    assert [child.tag for child in plain.tree] == [child.tag for child in xml.parse(f"<m>{left}</m>".encode())]
    assert plain.payloads == payload_names(plain.tree)


@pytest.mark.parametrize("rest", ["/>", "></message>", "><body>&lt;/message></body></message>"])
def test_between_servers_a_stanza_that_is_followed_arrives_as_it_was(rest: str) -> None:
    on_the_way = with_trace(message(rest))
    assert on_the_way.payloads == (f"{PROBE} trace",)
    assert without_trace(msgspec.structs.replace(on_the_way, trace_id="")) == message(rest)


def test_between_servers_a_probe_stays() -> None:
    probe = with_probe(message("/>"))
    assert with_trace(probe) == probe
    assert without_trace(msgspec.structs.replace(probe, trace_id="")) == probe
    assert without_trace(message("/>", "")).trace_id == ""
