"""Trees and their way to and from the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.namespaces import CLIENT, STREAMS, XML
from tests.unit.xmpp.spelling import USUAL, Draw, facts, spell, trees


@given(trees())
def test_a_serialized_tree_is_parsed_as_it_was(tree: Element) -> None:
    assert facts(xml.parse(xml.serialize(tree))) == facts(tree)


@given(trees())
def test_a_tree_may_stand_in_any_content_namespace(tree: Element) -> None:
    context = f"<context xmlns='jabber:server' xmlns:stream='{STREAMS}'>".encode()
    assert facts(xml.parse(xml.serialize(tree, "jabber:server"), context)) == facts(tree)


@st.composite
def spelled(draw: Draw) -> tuple[Element, str]:
    tree = draw(trees())
    return tree, spell(draw, tree, USUAL.scope)


@given(spelled())
def test_every_spelling_is_understood(case: tuple[Element, str]) -> None:
    tree, raw = case
    assert facts(xml.parse(raw.encode())) == facts(tree)


def test_declares_only_what_changes() -> None:
    message = Element(f"{{{CLIENT}}}message", {"to": "a&b", f"{{{XML}}}lang": "it"})
    SubElement(message, f"{{{CLIENT}}}body").text = "<hi>\r\n\t]]>"
    delay = SubElement(message, "{urn:x}delay", {"{urn:y}by": "'\""})
    SubElement(delay, "{urn:x}inner").tail = "tail"
    SubElement(delay, "plain")
    assert xml.serialize(message).decode() == (
        '<message to="a&amp;b" xml:lang="it"><body>&lt;hi>&#13;\n\t]]&gt;</body>'
        '<delay xmlns="urn:x" xmlns:a0="urn:y" a0:by="\'&quot;"><inner/>tail<plain xmlns=""/></delay></message>'
    )


def test_stream_elements_have_their_prefix() -> None:
    features = Element(f"{{{STREAMS}}}features")
    SubElement(features, f"{{{CLIENT}}}x")
    SubElement(features, "{urn:y}y")
    assert xml.serialize(features) == b'<stream:features><x/><y xmlns="urn:y"/></stream:features>'


def test_white_space_in_attributes_survives() -> None:
    element = Element("a", b="1\r2\n3\t4")
    assert xml.serialize(element, "") == b'<a b="1&#13;2&#10;3&#9;4"/>'


@pytest.mark.parametrize(
    ("name", "parts"), [("{urn:x}a", ("urn:x", "a")), ("a", ("", "a")), ("{}a", ("", "a")), ("{u}a}", ("u", "a}"))]
)
def test_split(name: str, parts: tuple[str, str]) -> None:
    assert xml.split(name) == parts


def test_text_of() -> None:
    element = xml.parse(b"<message><body>hi</body><body>2</body><subject/><x xmlns='u'>no</x></message>")
    assert xml.text_of(element, f"{{{CLIENT}}}body") == "hi"
    assert xml.text_of(element, f"{{{CLIENT}}}subject") == ""
    assert xml.text_of(element, f"{{{CLIENT}}}x") is None
