from __future__ import annotations

from pathlib import Path

import pytest

from cluster.router.faults import known
from cluster.topology.plan import LinkSeed, S2sPeer
from cluster.topology.resolve import resolve

from .conftest import Load, Problems

SERVERS = "name: x\nservers: {s1: {domain: a.lit}, s2: {domain: b.lit}, s3: {domain: c.lit}}\n"


def links(load_text: Load, text: str) -> list[LinkSeed]:
    plan = resolve(load_text(f"{SERVERS}links:\n{text}"), Path("lab.yaml"), Path("/x"), modules=())
    return [*plan.links]


def test_between_means_both_directions_and_from_to_one(load_text: Load) -> None:
    assert links(
        load_text,
        "  - {between: [s1, s2], delay: 40ms, jitter: 5ms}\n  - {from: s2, to: s3, loss: 1%, down: [10s..20s, 1m..]}",
    ) == [
        LinkSeed("a.lit", "b.lit", {"delay": 0.04, "jitter": 0.005}),
        LinkSeed("b.lit", "a.lit", {"delay": 0.04, "jitter": 0.005}),
        LinkSeed("b.lit", "c.lit", {"loss": 0.01, "down": [[10, 20], [60, None]]}),
    ]


def test_entries_about_one_direction_add_up(load_text: Load) -> None:
    assert links(load_text, "  - {between: [s1, s2], delay: 40ms}\n  - {from: s2, to: s1, down: ..5s}") == [
        LinkSeed("a.lit", "b.lit", {"delay": 0.04}),
        LinkSeed("b.lit", "a.lit", {"delay": 0.04, "down": [[0, 5]]}),
    ]


def test_without_a_mesh_only_those_are_joined_that_an_entry_names(load_text: Load) -> None:
    text = "links:\n  - {between: [s1, s2]}\n  - {from: s3, to: s2, loss: 1%}\n"
    plan = resolve(load_text(f"{SERVERS}{text}mesh: false\n"), Path("lab.yaml"), Path("/x"), modules=())
    assert {server.name: server.peers for server in plan.servers} == {
        "s1": ("b.lit",),
        "s2": ("a.lit", "c.lit"),
        "s3": ("b.lit",),
    }
    assert [*plan.links] == [LinkSeed("c.lit", "b.lit", {"loss": 0.01})]
    plan = resolve(load_text(f"{SERVERS}mesh: true\n"), Path("lab.yaml"), Path("/x"), modules=())
    assert [server.peers for server in plan.servers] == [None] * 3


def test_the_seed_is_the_routers(load_text: Load) -> None:
    topology = load_text(f"{SERVERS}router: {{seed: 7}}\n")
    assert resolve(topology, Path("lab.yaml"), Path("/x"), modules=()).fault_seed == 7


def test_no_fault_is_none(load_text: Load) -> None:
    assert links(load_text, "  - {from: s1, to: s2, loss: 0%}") == []
    assert load_text(f"{SERVERS}links:\n").links == []


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (
            "{between: [s1, s9], delay: 1s}",
            "4:5: links[0]: no server 's9'; allowed: s1, s2, s3",
        ),
        (
            "{from: s1, delay: 1s}",
            "4:5: links[0]: a link needs `between: [s1, s2]` for both directions, or `from: s1` and `to: s2` for one",
        ),
        ("{between: [s1, s2], from: s1, to: s2, delay: 1s}", "4:5: links[0]: a link needs `between"),
        ("{from: s1, to: s1, delay: 1s}", "4:5: links[0]: s1 cannot have a link to itself; name two servers"),
        (
            "{between: [s1], delay: 1s}",
            "4:15: links[0].between: a link joins two servers; write between: [s1, s2]",
        ),
        ("{from: s1, to: s2}", f"4:5: links[0]: this link has no fault; write one of: {', '.join(known())}"),
        (
            "{from: s1, to: s2, delay: 40}",
            "4:31: links[0].delay: 40 is not allowed here; write a time such as 40ms, 1.5s, 2m or 1h",
        ),
        (
            "{from: s1, to: s2, loss: 0.01}",
            "4:30: links[0].loss: 0.01 is not allowed here; write a share",
        ),
        ("{from: s1, to: s2, loss: 1 %%}", "4:30: links[0].loss: '1 %%' is not allowed here"),
        ("{from: s1, to: s2, down: true}", "4:30: links[0].down: True is not allowed here; write always"),
        ("{from: s1, to: s2, down: [10s]}", "4:30: links[0].down: '10s' is not allowed here"),
        (
            "{from: s1, to: s2, lag: 1s}",
            "4:24: links[0].lag: unknown key; allowed: between, from, to, transport, delay",
        ),
        (
            "{from: s1, to: s2, delay: 1s}\n  - {between: [s2, s1], delay: 2s}",
            "5:25: links[1].delay: links[0] has a delay from s1 to s2 already; keep one of the two",
        ),
    ],
)
def test_what_is_wrong_is_said(problems: Problems, link: str, expected: str) -> None:
    assert any(line.startswith(f"lab.yaml:{expected}") for line in problems(f"{SERVERS}links:\n  - {link}\n"))


def test_a_transport_is_that_of_both_directions_and_no_fault(load_text: Load) -> None:
    text = "  - {between: [s1, s2], transport: s2s, delay: 40ms}\n  - {between: [s2, s3], transport: redis}\n"
    assert [(link.from_, link.faults) for link in links(load_text, text)] == [
        ("a.lit", {"delay": 0.04}),
        ("b.lit", {"delay": 0.04}),
    ]


def test_servers_know_where_they_reach_each_other_by_xml_streams(load_text: Load) -> None:
    text = (
        f"{SERVERS}defaults: {{s2s_port: 5270}}\n"
        "components: {x.b.lit: {server: s2}}\n"
        "links:\n  - {between: [s1, s2], transport: s2s}\n"
    )
    plan = resolve(load_text(text), Path("lab.yaml"), Path("/x"), modules=())
    s1, s2, s3 = plan.servers
    assert s1.s2s_peers == (S2sPeer("b.lit", s2.host, 5270), S2sPeer("x.b.lit", s2.host, 5270))
    assert s2.s2s_peers == (S2sPeer("a.lit", s1.host, 5270),)
    assert s3.s2s_peers == ()
    assert (5270 in s1.ports, 5270 in s2.ports, 5270 in s3.ports) == (True, True, False)


def test_a_transport_needs_both_ends_and_is_said_once(problems: Problems) -> None:
    text = "links:\n  - {between: [s1, s2], transport: s2s}\n  - {between: [s2, s1], transport: redis}\n"
    [twice] = problems(f"{SERVERS}{text}")
    assert "links[0] has a transport from s1 to s2 already" in twice
    [one_way] = problems(f"{SERVERS}links:\n  - {{from: s1, to: s2, transport: s2s}}\n")
    assert "a transport is that of both directions; write `between: [s1, s2]`" in one_way
    [unknown] = problems(f"{SERVERS}links:\n  - {{between: [s1, s2], transport: tcp}}\n")
    assert "allowed: redis, s2s, bidi" in unknown


def test_a_link_may_be_one_stream_for_both_ways(load_text: Load) -> None:
    text = (
        "name: x\nservers:\n  s1: {domain: a.lit}\n  s2: {domain: b.lit, kind: prosody, rooms: r.b.lit}\n"
        "  s3: {domain: c.lit}\n"
        "links:\n  - {between: [s1, s2], transport: bidi}\n  - {between: [s1, s3], transport: s2s}\n"
    )
    s1, s2, s3 = resolve(load_text(text), Path("lab.yaml"), Path("/x"), modules=()).servers
    assert (s1.bidirectional, s2.bidirectional, s3.bidirectional) == (("b.lit", "r.b.lit"), ("a.lit",), ())
    assert {peer.domain for peer in s1.s2s_peers} == {"b.lit", "r.b.lit", "c.lit"}
