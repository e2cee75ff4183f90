"""What a query of an archive says (XEP-0313, XEP-0059), and what an account wants to be kept (XEP-0441)."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import mam, mam_prefs
from cluster.xmpp.extensions.mam import MAX_PAGE, Query
from cluster.xmpp.extensions.mam_prefs import Preferences
from cluster.xmpp.jid import Jid

JULIET = Jid.parse("juliet@capulet.lit")
BALCONY = Jid.parse("juliet@capulet.lit/balcony")
ROMEO = Jid.parse("romeo@montague.lit/pda")


def query(content: str, attributes: str = "") -> Element:
    return xml.parse(f"<query xmlns='urn:xmpp:mam:2' {attributes}>{content}</query>".encode())


def form(*fields: tuple[str, str]) -> str:
    all_fields = (("FORM_TYPE", "urn:xmpp:mam:2"), *fields)
    written = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in all_fields)
    return f"<x xmlns='jabber:x:data' type='submit'>{written}</x>"


def page(content: str) -> str:
    return f"<set xmlns='http://jabber.org/protocol/rsm'>{content}</set>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", Query()),
        (form(), Query()),
        (form(("with", "Juliet@Capulet.lit")), Query(with_=JULIET)),
        (form(("start", "1970-01-01T00:00:01Z"), ("end", "1970-01-01T00:00:02Z")), Query(start_utc_s=1, end_utc_s=2)),
        (form(("after-id", "a"), ("before-id", "b")), Query(after_id="a", before_id="b")),
        (form(("include-groupchat", "true")), Query()),
        (page(""), Query()),
        (page("<max>10</max><after>a</after>"), Query(max=10, page_after="a")),
        (page("<max> 0 </max><before/>"), Query(max=0, page_before="")),
        (page("<max>99999</max><before>b</before>"), Query(max=MAX_PAGE, page_before="b")),
        ("<flip-page/>", Query(flip=True)),
    ],
)
def test_what_is_asked(content: str, expected: Query) -> None:
    assert mam.read_query(query(content)) == expected


def test_many_ids_and_the_query_id() -> None:
    ids = "<field var='ids'><value>a</value><value>b</value></field>"
    read = mam.read_query(query(form().replace("</x>", f"{ids}</x>"), "queryid='f27'"))
    assert read == Query(ids=frozenset("ab"), queryid="f27")


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (form(("colour", "red")), Condition.FEATURE_NOT_IMPLEMENTED),  # section 4.1.5
        (form(("start", "yesterday")), Condition.BAD_REQUEST),
        (form(("with", "@")), Condition.BAD_REQUEST),
        ("<x xmlns='jabber:x:data' type='submit'/>", Condition.BAD_REQUEST),
        (form().replace("mam:2", "mam:1"), Condition.BAD_REQUEST),
        (page("<max>many</max>"), Condition.BAD_REQUEST),
        (page("<max>-1</max>"), Condition.BAD_REQUEST),
        (page("<index>5</index>"), Condition.FEATURE_NOT_IMPLEMENTED),  # XEP-0059 section 2.6
    ],
)
def test_what_cannot_be_asked(content: str, condition: Condition) -> None:
    with pytest.raises(StanzaError) as raised:
        mam.read_query(query(content))
    assert raised.value.condition is condition


def test_the_form_says_what_may_be_asked() -> None:
    fields = {field.get("var"): field.get("type") for field in mam.form()}
    assert fields == {
        "FORM_TYPE": "hidden", "with": "jid-single", "start": "text-single", "end": "text-single",
        "before-id": "text-single", "after-id": "text-single", "ids": "list-multi", "include-groupchat": "boolean",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("with_", "from_", "to", "matches"),
    [
        # section 4.1.1
        ("romeo@montague.lit", ROMEO, JULIET, True),
        ("romeo@montague.lit", BALCONY, ROMEO, True),
        ("romeo@montague.lit/pda", ROMEO, JULIET, True),
        ("romeo@montague.lit/other", ROMEO, JULIET, False),
        ("montague.lit", ROMEO, JULIET, False),
        ("juliet@capulet.lit", ROMEO, JULIET, False),
        ("juliet@capulet.lit", BALCONY, JULIET, True),
        ("juliet@capulet.lit/balcony", BALCONY, ROMEO, True),
    ],
)
def test_with_whom(with_: str, from_: Jid, to: Jid, matches: bool) -> None:
    assert Query(with_=Jid.parse(with_)).matches(JULIET, 0.0, from_, to) is matches


def test_when() -> None:
    asked = Query(start_utc_s=1.0, end_utc_s=2.0)
    times = [0.999, 1.0, 1.5, 2.0, 2.001]
    assert [asked.matches(JULIET, time, ROMEO, JULIET) for time in times] == [False, True, True, True, False]


# --- preferences


def test_by_default_everybody_is_kept() -> None:
    assert Preferences().keep(ROMEO, is_contact=lambda bare: True)
    assert Preferences().keep(ROMEO, is_contact=lambda bare: False)
    assert not Preferences(default="roster").keep(ROMEO, is_contact=lambda bare: False)
    assert Preferences("always").keep(ROMEO, is_contact=lambda bare: False)
    assert not Preferences("never").keep(ROMEO, is_contact=lambda bare: True)


@pytest.mark.parametrize("listed", ["romeo@montague.lit", "romeo@montague.lit/pda"])
def test_a_list_counts_more_than_the_default(listed: str) -> None:
    jids = frozenset([Jid.parse(listed)])
    assert Preferences("never", always=jids).keep(ROMEO, is_contact=lambda bare: False)
    assert not Preferences("always", never=jids).keep(ROMEO, is_contact=lambda bare: True)
    assert not Preferences("always", always=jids, never=jids).keep(ROMEO, is_contact=lambda bare: True)


def test_a_listed_resource_is_not_the_account() -> None:  # XEP-0441 section 2.3.1
    preferences = Preferences("never", always=frozenset([ROMEO]))
    assert not preferences.keep(ROMEO.bare, is_contact=lambda bare: False)
    assert not preferences.keep(Jid.parse("romeo@montague.lit/other"), is_contact=lambda bare: False)


def test_preferences_are_read_as_they_were_written() -> None:
    preferences = Preferences("always", frozenset([ROMEO, JULIET]), frozenset([BALCONY]))
    assert mam_prefs.read(xml.parse(xml.serialize(mam_prefs.to_element(preferences)))) == preferences
    empty = mam_prefs.to_element(Preferences())
    assert [child.tag for child in empty] == ["{urn:xmpp:mam:2}always", "{urn:xmpp:mam:2}never"]


@pytest.mark.parametrize(
    ("prefs", "condition"),
    [
        ("<prefs xmlns='urn:xmpp:mam:2'/>", Condition.BAD_REQUEST),
        ("<prefs xmlns='urn:xmpp:mam:2' default='sometimes'/>", Condition.BAD_REQUEST),
        (
            "<prefs xmlns='urn:xmpp:mam:2' default='always'><never><jid>@</jid></never></prefs>",
            Condition.JID_MALFORMED,
        ),
    ],
)
def test_bad_preferences(prefs: str, condition: Condition) -> None:
    with pytest.raises(StanzaError) as raised:
        mam_prefs.read(xml.parse(prefs.encode()))
    assert raised.value.condition is condition
