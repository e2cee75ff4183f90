"""The way of a stanza as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

from msgspec.structs import replace

from cluster.trace.hop import Event
from cluster.trace.sequence import MOST_STEPS, picture, svg
from cluster.trace.why import explain
from tests.unit.trace.hops import ROUTE, hop

SVG = "{http://www.w3.org/2000/svg}"


def test_an_arrow_for_each_arrival_and_a_circle_for_each_step() -> None:
    drawn = picture(explain(ROUTE, {}))
    of = [shape.attributes["class"] for shape in drawn.shapes]
    assert of.count("step") == len(ROUTE)
    arrows = [shape.attributes["x1"] for shape in drawn.shapes if shape.attributes["class"] == "arrow"]
    assert arrows == [126, 230, 334, 438]
    assert [shape.text for shape in drawn.shapes if shape.attributes["class"] == "head"] == [
        "romeo@montague…", "s1", "router", "s2", "juliet@capulet…",
    ]  # fmt: skip
    assert next(shape.title for shape in drawn.shapes if shape.attributes["class"] == "head") == "romeo@montague.lit"


def test_what_went_wrong_is_marked() -> None:
    bounced = [*ROUTE[:5], replace(ROUTE[5], event=Event.BOUNCED)]
    drawn = picture(explain(bounced, {}))
    assert [shape.tag for shape in drawn.shapes if "bad" in str(shape.attributes["class"])] == [
        "line",
        "path",
        "circle",
    ]


def test_the_file_is_xml_with_the_words_and_nothing_of_it_runs() -> None:
    markup = "<script>alert(1)</script> & \x1b[31m \"'"
    route = [*ROUTE[:5], replace(ROUTE[5], event=Event.BOUNCED, detail=markup, to=markup, node=markup)]
    root = ElementTree.fromstring(svg(explain(route, {})))
    assert root.tag == f"{SVG}svg"
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg", "g", "title", "style", "line", "path", "text", "circle",
    }  # fmt: skip
    texts = "\n".join(root.itertext())
    assert "sent it back: <script>alert(1)</script>" in texts
    assert "it was bounced at" in texts
    assert "\\x1b[31m" in texts


def test_the_file_is_xml_whatever_a_foreign_network_said() -> None:
    """XML has no U+FFFE and U+FFFF (XML 1.0 section 2.2), UTF-8 has."""
    said = hop("g1", Event.BOUNCED, 1, "550 \ufffe\uffff\x00\ud800")
    root = ElementTree.fromstring(svg(explain([said], {})))
    assert r"550 \ufffe\uffff\x00\ud800" in "".join(root.itertext())


def test_a_stanza_to_ten_thousand_is_drawn_as_far_as_anybody_reads() -> None:
    to_all = [hop("s1", Event.RECEIVED, 0), *(hop("s1", Event.DELIVERED, number) for number in range(1, 10_000))]
    found = svg(explain(to_all, {}))
    assert found.count("<circle") == MOST_STEPS
    assert f"and {10_000 - MOST_STEPS:,} more steps" in found
    assert len(found) < 200_000
