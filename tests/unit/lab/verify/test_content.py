"""What arrives is compared with what was sent: what servers add is allowed, and every other difference is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lab.verify.content import Content, difference, stanza_id
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Kind
from tests.unit.lab.verify.slices import slice_of

ROMEO = Jid.parse("romeo@montague.lit/pda")
JULIET = Jid.parse("juliet@capulet.lit")
GIVERS = frozenset({"juliet@capulet.lit", "capulet.lit"})
SID = '<stanza-id xmlns=\'urn:xmpp:sid:0\' by="juliet@capulet.lit" id="1-0"/>'
PROBE = "<probe xmlns='urn:xmpplab:trace:0' id='run.0.7'/>"
DELAY = "<delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='2026-01-01T00:00:00Z'/>"


def content(kind: Kind = "message", size: int = 200) -> Content:
    return Content(kind, "run.0.", JULIET, size, is_followed=True)


def arrived(kind: Kind = "message", added: str = "") -> str:
    """As a server hands it on."""
    raw = content(kind).stanza(7).raw.decode()
    return raw.replace(f"<{kind}", f'<{kind} from="{ROMEO}"').replace(f"</{kind}>", f"{added}</{kind}>")


def found(raw: str, kind: Kind = "message") -> str:
    return difference(slice_of(raw), content(kind).expected(7, ROMEO), GIVERS)


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_what_was_sent(kind: Kind) -> None:
    assert found(arrived(kind), kind) == ""


@pytest.mark.parametrize("added", ["", SID, DELAY, DELAY + SID])
def test_a_server_may_take_off_the_probe(added: str) -> None:
    """Beyond `trace.probes_per_minute` messages are ordinary ones; a probe that is there is the right one."""
    assert found(arrived(added=added).replace(PROBE, "")) == ""
    assert found(arrived(added=added).replace("run.0.7'/>", "run.0.8'/>")) == "probe was altered"


@pytest.mark.parametrize("size", [1, 150, 300, 10_000])
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_a_stanza_has_the_size_that_is_asked_for(kind: Kind, size: int) -> None:
    raw = content(kind, size).stanza(0).raw
    assert len(raw) in (size, max(size, len(content(kind, 1).stanza(0).raw)), size + 1)


@pytest.mark.parametrize(
    "added",
    [
        SID,
        SID.replace("juliet@", ""),
        SID + SID.replace("1-0", "2-0"),
        DELAY,
        DELAY + SID,
        "<s:stanza-id xmlns:s='urn:xmpp:sid:0' by='juliet@capulet.lit' id='1'></s:stanza-id>",
    ],
)
def test_what_servers_may_add(added: str) -> None:
    assert found(arrived(added=added)) == ""


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (SID.replace("capulet.lit", "elsewhere.lit"), "payload <stanza-id/> was added"),
        (DELAY.replace("capulet.lit", "elsewhere.lit"), "payload <delay/> was added"),
        ("<x xmlns='urn:other'/>", "payload <x/> was added"),
        ("<body>more</body>", "payload <body/> was added"),
    ],
)
def test_nothing_else_may_be_added(added: str, told: str) -> None:
    assert told in found(arrived(added=added))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("xxx</body>", "xyx</body>", "body was altered: 'run.0.7 xxx"),
        ("<body>run.0.7 x", "<body>run.0.8 x", "body was altered: 'run.0.8 x"),
        ("romeo@montague.lit/pda", "romeo@montague.lit/tomb", "from is 'romeo@montague.lit/tomb', not 'romeo@"),
        ('from="romeo@montague.lit/pda"', "", "from is none, not 'romeo@montague.lit/pda'"),
        ("to=\"juliet", "to=\"nurse", "to is 'nurse@capulet.lit', not 'juliet@capulet.lit'"),
        ("type='chat'", "type='error'", "type is 'error', not 'chat'"),
        ("type='chat'", "", "type is none, not 'chat'"),
        (" id='run.0.7'>", " id='run.0.8'>", "id is 'run.0.8', not 'run.0.7'"),
        (PROBE, "<probe xmlns='urn:other'/>", "payload <probe/> was added"),
        ("id='run.0.7'/>", "id='run.0.8'/>", "probe was altered"),
        ("<message", "<message ask='x'", "attribute ask was added"),
    ],
)  # fmt: skip
def test_what_was_altered(old: str, new: str, told: str) -> None:
    raw = arrived()
    assert old in raw
    assert told in found(raw.replace(old, new))


def test_a_body_that_was_emptied() -> None:
    raw = arrived()
    begin, end = raw.index("<body>") + 6, raw.index("</body>")
    assert found(raw[:begin] + raw[end:]) == "body is empty"


def test_a_body_that_was_taken_off() -> None:
    raw = arrived()
    begin, end = raw.index("<body>"), raw.index("</body>") + 7
    assert found(raw[:begin] + raw[end:]) == "payload <body/> is missing"


def test_another_kind() -> None:
    assert found(arrived().replace("message", "presence")).startswith("it is presence, not message")


def test_payloads_in_another_order() -> None:
    raw = arrived()
    assert found(raw.replace(PROBE, "").replace("<body>", f"{PROBE}<body>")) == "payloads are in another order"


def test_another_spelling_is_no_difference() -> None:
    raw = arrived(added=SID)
    spelled = raw.replace("<body>", "<c:body xmlns:c='jabber:client'>").replace("</body>", "</c:body>")
    assert found(spelled) == ""
    assert found(raw.replace("'", '"')) == ""
    assert found(raw.replace("run.0.7 ", "run&#46;0.7 ")) == ""


def test_the_answer_to_an_iq() -> None:
    requests = content("iq")
    expected = requests.expected_answer(7, ROMEO)
    raw = f"<iq from='{JULIET}' to='{ROMEO}' id='run.0.7' type='result'>{requests.payload(7).decode()}</iq>"
    assert difference(slice_of(raw), expected, GIVERS) == ""
    assert "query was altered" in difference(slice_of(raw.replace("7 x", "7 y")), expected, GIVERS)


@given(st.data())
def test_no_change_of_a_byte_goes_unseen(data: st.DataObject) -> None:
    """What is still the same stanza is spelled otherwise; of everything else the difference is told."""
    raw = arrived(added=SID)
    place = data.draw(st.integers(raw.index("<body>") + 6, raw.index("</body>") - 1))
    letter = data.draw(st.sampled_from("abz09 .-"))
    changed = raw[:place] + letter + raw[place + 1 :]
    assert (found(changed) == "") == (changed == raw)


@given(st.integers(0, 10**9), st.sampled_from(["message", "presence", "iq"]), st.integers(1, 400))
def test_a_stanza_is_what_is_expected_of_it(sequence: int, kind: Kind, size: int) -> None:
    flow = content(kind, size)
    raw = flow.stanza(sequence).raw.decode().replace(f"<{kind}", f'<{kind} from="{ROMEO}"', 1)
    child: Slice = slice_of(raw)
    assert child.name == f"{CLIENT} {kind}"
    assert difference(child, flow.expected(sequence, ROMEO), GIVERS) == ""
    assert difference(child, flow.expected(sequence + 1, ROMEO), GIVERS) != ""


WRITTEN = b"<message><body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' id='1-0' by='capulet.lit'/></message>"


@pytest.mark.parametrize(
    "other",
    [
        b'<message><stanza-id by="capulet.lit" id="1-0" xmlns="urn:xmpp:sid:0" /><body>hi</body></message>',
        b"<message><s:stanza-id xmlns:s='urn:xmpp:sid:0' by='capulet.lit' id='1-0'></s:stanza-id></message>",
    ],
    ids=["order and quotes", "prefix"],
)
def test_a_stanza_id_is_the_same_however_it_is_written(other: bytes) -> None:
    assert stanza_id(WRITTEN) == stanza_id(other) != 0


@pytest.mark.parametrize("part", [b"1-0", b"capulet.lit"])
def test_it_is_another_where_a_part_of_it_is(part: bytes) -> None:
    assert stanza_id(WRITTEN) != stanza_id(WRITTEN.replace(part, b"other"))


def test_there_may_be_none() -> None:
    assert stanza_id(b"<message id='1' by='2'><body>&lt;stanza-id id='1'></body></message>") == 0
