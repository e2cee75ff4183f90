"""What a receiver reads of a message."""

from __future__ import annotations

import pytest

from cluster.lab.verify.traffic import stanza_id

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
