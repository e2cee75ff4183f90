"""Pictures of a lab with all there is: gateways, networks, phones, mailboxes, components, nodes, links and faults."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cluster.topology.graph import Format, draw
from cluster.topology.resolve import resolve

from .conftest import Load

WHOLE = """
name: whole
servers:
  s1: {domain: montague.lit, nodes: 2}
  s2: {domain: capulet.lit, rooms: conference.capulet.lit}
  s3: {domain: shakespeare.lit}
accounts:
  romeo@montague.lit:
  juliet@capulet.lit:
gateways:
  g1: {kind: sms, domain: sms.montague.lit, server: s1, network: fn1}
  g2: {kind: mail, domain: mail.capulet.lit, server: s2, network: fn2}
  g3: {kind: mail, domain: mail.montague.lit, server: s1, network: fn2}
networks:
  fn1: {kind: smsc, phones: {fc1: '+393331234567', fc3: '+393331234568'}}
  fn2: {kind: mailhost, mailboxes: {fc2: friar@abbey.example}}
  fn3: {kind: smsc, external: {host: smsc.example, port: 2775}}
components:
  dict.montague.lit: {server: s1}
"""
LINKS = """
links:
  - {between: [s1, s2], delay: 40ms}
  - {from: s2, to: s3, loss: 1%, down: 10s..20s}
"""
DRAWN = [
    "romeo", "juliet", "montague.lit", "s1-2", "sms.montague.lit", "g2", "fn1", "mailhost", "+393331234568", "fc1",
    "friar@abbey.example", "dict.montague.lit", "delay 40ms", "loss 1%, down 10s..20s", "smsc.example:2775",
    "conference.capulet.lit",
]  # fmt: skip


def drawn(load_text: Load, text: str, format: Format) -> str:
    return draw(resolve(load_text(text), Path("lab.yaml"), Path("/x"), modules=()), format)


@pytest.mark.parametrize("format", ["text", "mermaid", "svg", "html"])
@pytest.mark.parametrize("mesh", ["", "mesh: false\n"])
def test_everything_is_drawn(load_text: Load, format: Format, mesh: str) -> None:
    picture = drawn(load_text, f"{WHOLE}{LINKS}{mesh}", format)
    assert [name for name in DRAWN if name not in picture] == []
    assert ("router" in picture) == (not mesh)


def test_links_that_are_not_there_are_not_drawn(load_text: Load) -> None:
    text = drawn(load_text, f"{WHOLE}{LINKS}mesh: false\n", "text")
    _, _, links = text.partition("links:\n")
    assert links.partition("\n\n")[0] == "  s1  ───  s2  delay 40ms\n  s2  ───  s3  s2 → s3: loss 1%, down 10s..20s"
    lonely = drawn(load_text, f"{WHOLE}links: [{{between: [s1, s2]}}]\nmesh: false\n", "text")
    assert "  s1  ───  s2\n  s3       no link" in lonely
    mermaid = drawn(load_text, f"{WHOLE}{LINKS}mesh: false\n", "mermaid")
    assert [line for line in mermaid.splitlines() if re.match(r" +S\d .* S\d$", line)] == [
        "    S1 --- S2",
        '    S1 ---|"delay 40ms"| S3',
        '    S3 ---|"s2 → s3: loss 1%, down 10s..20s"| S4',
    ]


def test_streams_between_servers_do_not_pass_the_router(load_text: Load) -> None:
    links = "links: [{{between: [s1, s2], transport: {}}}]\n"
    two = "name: two\nservers: {{s1: {{domain: a.lit}}, s2: {{domain: b.lit}}{}}}\n" + links
    without = drawn(load_text, two.format("", "bidi"), "text")
    assert "router" not in without
    assert without.endswith("links:\n  s1  ───  s2  bidi")
    with_third = drawn(load_text, two.format(", s3: {domain: c.lit}", "s2s"), "text")
    assert "router" in with_third
    assert with_third.endswith("links with streams:\n  s1  ───  s2  s2s")
    foreign = drawn(load_text, two.format(", s3: {kind: prosody, domain: c.lit}", "s2s"), "mermaid")
    assert "router" not in foreign
    assert foreign.count('---|"s2s"|') == 3


def test_a_network_is_drawn_once_with_all_its_gateways(load_text: Load) -> None:
    text = drawn(load_text, WHOLE, "text").partition("gateways and networks:\n")[2]
    words = [line.split() for line in text.splitlines()]
    assert [[word for word in line if not word.startswith("127.")] for line in words] == [
        ["s1", "───", "g1", "sms.montague.lit", "═══", "fn1", "smsc", "─┬─", "fc1", "+393331234567"],
        ["└─", "fc3", "+393331234568"],
        ["s1", "───", "g3", "mail.montague.lit", "═══", "fn2", "mailhost", "───", "fc2", "friar@abbey.example"],
        ["s2", "───", "g2", "mail.capulet.lit", "═══", "fn2", "mailhost"],
        ["fn3", "real", "smsc", "smsc.example:2775"],
    ]
    first, second, *_ = text.splitlines()
    assert first.index("┬") == second.index("└")


@pytest.mark.parametrize("format", ["svg", "html"])
def test_a_page_needs_nothing_else(load_text: Load, format: Format) -> None:
    picture = drawn(load_text, WHOLE + LINKS, format)
    addresses = re.findall(r"https?:[^\"\s<]*", picture)
    assert set(addresses) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|@import|url\(|src=|href=", picture)


@pytest.mark.parametrize("mesh", ["", "mesh: false\n"])
def test_svg_is_well_formed_and_no_box_covers_another(load_text: Load, mesh: str) -> None:
    root = ElementTree.fromstring(drawn(load_text, f"{WHOLE}{LINKS}{mesh}", "svg"))
    boxes = [
        tuple(float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        for rect in root.iter("{http://www.w3.org/2000/svg}rect")
    ]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for number, (x, y, w, h) in enumerate(boxes):
        assert min(x, y, width - x - w, height - y - h) >= 0
        for x2, y2, w2, h2 in boxes[:number]:
            assert x >= x2 + w2 or x2 >= x + w or y >= y2 + h2 or y2 >= y + h


def test_names_are_escaped(load_text: Load) -> None:
    text = "name: x\nservers: {s1: {domain: a.lit}}\naccounts: {'x#`!{}@a.lit': }\n"
    assert "x#`!{}" in drawn(load_text, text, "svg")
    assert '(["x#35;#96;!{}"])' in drawn(load_text, text, "mermaid")
