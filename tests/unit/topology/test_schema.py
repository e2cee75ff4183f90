from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.topology import document, reference, schema
from cluster.topology.load import load

from . import draft7
from .conftest import Write

TOPOLOGIES = sorted((schema.DOCS.parent / "topologies").glob("*.yaml"))
FIRST_LINE = "# yaml-language-server: $schema=../docs/topology.schema.json"


def test_the_generated_files_are_fresh() -> None:
    remedy = "run: python -m cluster.topology.schema"
    page = schema.REFERENCE.read_text(encoding="utf-8")
    assert schema.SCHEMA.read_text(encoding="utf-8") == schema.text(schema.schema()), remedy
    assert reference.updated(page, schema.schema()) == page, remedy


def test_the_page_needs_its_markers() -> None:
    with pytest.raises(ValueError, match="the tables go between them"):
        reference.updated("# a page without markers", schema.schema())


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_each_topology_of_the_project_is_valid(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(f"{FIRST_LINE}\n# ")
    assert load(path, modules=()).name == path.stem
    assert draft7.errors(document.read(path).data, schema.schema(), schema.schema()) == []


def test_the_project_has_its_topologies() -> None:
    assert [path.stem for path in TOPOLOGIES] == [
        "bench",
        "faults",
        "gateways",
        "mixed",
        "nodes",
        "rfc3920",
        "rooms",
        "s2s",
        "start",
        "two-domains",
        "verona",
    ]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("tracing: {}", "/tracing: unknown key"),
        ("servers: {s1: {domain: a.lit, tsl: off}}", "/servers/s1/tsl: unknown key"),
        ("servers: {S1: {domain: a.lit}}", "/servers/S1: unknown key"),
        ("servers: {s1: {}}", "/servers/s1: no domain"),
        ("servers: {s1: {domain: a.lit, tls: none}}", "/servers/s1/tls: enum ['required', 'optional', 'off']"),
        ("servers: {s1: {domain: a.lit, c2s_port: 0}}", "/servers/s1/c2s_port: minimum 1"),
        ("servers: {}", "/servers: minProperties 1"),
    ],
)
def test_editors_see_the_same_mistakes(write: Write, key: str, expected: str) -> None:
    data = document.read(write(f"name: x\n{key}\n")).data
    assert expected in draft7.errors(data, schema.schema(), schema.schema())


def test_every_key_has_a_description_in_one_line() -> None:
    def keys(part: dict[str, Any]) -> list[dict[str, Any]]:
        return list(part["properties"].values())

    whole = schema.schema()
    for key in [*keys(whole), *(key for part in whole["definitions"].values() for key in keys(part))]:
        assert key["description"].endswith(".")
        assert "\n" not in key["description"]


def test_it_is_draft_7_throughout() -> None:
    def check(part: object) -> None:
        if isinstance(part, dict):
            assert "$defs" not in part
            assert "$ref" not in part or len(part) == 1  # draft 7 ignores what stands beside it
            for each in part.values():
                check(each)
        elif isinstance(part, list):
            for each in part:
                check(each)

    assert schema.schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    check(schema.schema())
