"""Stanzas that are typed by hand, and panes."""

from __future__ import annotations

import pytest

from cluster.lab.api import BadInput
from cluster.web.talkers import read_stanza


def test_a_stanza_that_is_typed() -> None:
    stanza = read_stanza(" <iq type='get' id='v1' to='capulet.lit'>\n<query xmlns='jabber:iq:version'/></iq>\n")
    assert (stanza.kind, stanza.id, stanza.type, stanza.payloads) == ("iq", "v1", "get", ("jabber:iq:version query",))
    assert stanza.raw.startswith(b'<iq type="get" id="v1" to="capulet.lit">')
    assert read_stanza("<presence xmlns='jabber:client'/>").raw == b"<presence/>"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("<message>", "not well-formed XML"),
        ("hello", "exactly one stanza"),
        ("<presence/>x", "exactly one stanza"),
        ("<presence/><presence/>", "exactly one stanza"),
        ("</stream><stream>", "not well-formed XML"),
        ("</stream><presence/>", "not well-formed XML"),
        ("<!DOCTYPE x><presence/>", "not well-formed XML"),
        ("<message>&nbsp;</message>", "not well-formed XML"),
        ("<message>\x00</message>", "not well-formed XML"),
        ("<note/>", "a stanza is"),
        ("<message xmlns='jabber:server'/>", "a stanza is"),
        ("", "exactly one stanza"),
    ],
)
def test_what_is_no_stanza(typed: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_stanza(typed)
