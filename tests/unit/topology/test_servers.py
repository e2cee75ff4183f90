"""The kinds of servers in a topology."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kinds.ejabberd import Ejabberd
from cluster.kinds.prosody import Prosody
from cluster.topology.plan import Plan, S2sPeer, XmpplabServer
from cluster.topology.resolve import resolve
from cluster.topology.scale import as_written, with_nodes

from .conftest import MODULES, Load, Problems

MIXED = """
    name: mixed
    defaults: {anonymous: true, registration: open}
    servers:
      s1: {domain: montague.lit}
      s2: {domain: capulet.lit, kind: prosody, rooms: conference.capulet.lit}
      s3: {domain: escalus.lit, kind: ejabberd, s2s_port: 6269, registration: closed}
    accounts:
      romeo@montague.lit: {contacts: [juliet@capulet.lit]}
      juliet@capulet.lit:
"""


def plan_of(load_text: Load, text: str = MIXED) -> Plan:
    return resolve(load_text(text), Path("/lab.yaml"), Path("/lab"), modules=MODULES)


def test_a_server_is_ours_unless_it_names_a_kind(load_text: Load) -> None:
    plan = plan_of(load_text)
    assert [type(server) for server in plan.servers] == [XmpplabServer, Prosody, Ejabberd]
    assert [server.name for server in plan.ours] == ["s1"]


def test_the_plan_file_keeps_the_kinds(load_text: Load, tmp_path: Path) -> None:
    plan = plan_of(load_text)
    (tmp_path / "plan.json").write_bytes(plan.encoded())
    assert Plan.load(tmp_path / "plan.json") == plan


def test_defaults_hold_as_far_as_a_kind_has_the_key(load_text: Load) -> None:
    ours, prosody, ejabberd = plan_of(load_text).servers
    assert isinstance(ours, XmpplabServer)
    assert ours.anonymous
    assert [each.registration for each in (ours, prosody, ejabberd)] == [True, True, False]


def test_whoever_is_no_server_of_ours_is_reached_by_streams(load_text: Load) -> None:
    ours, prosody, ejabberd = plan_of(load_text).servers
    rooms = S2sPeer("conference.capulet.lit", prosody.host, 5269)
    assert ours.s2s_peers == (
        S2sPeer("capulet.lit", prosody.host, 5269), rooms, S2sPeer("escalus.lit", ejabberd.host, 6269)
    )  # fmt: skip
    assert [peer.domain for peer in ejabberd.s2s_peers] == ["montague.lit", "capulet.lit", "conference.capulet.lit"]


def test_others_prefer_the_port_for_direct_tls(load_text: Load) -> None:
    text = MIXED.replace("kind: prosody,", "kind: prosody, s2s_direct_tls_port: 5270,")
    ours, prosody, ejabberd = plan_of(
        load_text, text.replace("s2s_port: 6269", "tls: off, s2s_direct_tls_port: 5270")
    ).servers
    capulet = [peer for peer in ours.s2s_peers if peer.domain == "capulet.lit"]
    assert capulet == [S2sPeer("capulet.lit", prosody.host, 5270, True), S2sPeer("capulet.lit", prosody.host, 5269)]
    assert {5269, 5270} <= set(prosody.ports)
    assert [(peer.port, peer.direct_tls) for peer in ours.s2s_peers if peer.domain == "escalus.lit"] == [(5269, False)]
    assert 5270 not in ejabberd.ports


def test_the_ports_of_a_server_differ(problems: Problems) -> None:
    found = problems(MIXED.replace("kind: prosody,", "kind: prosody, s2s_direct_tls_port: 5269,"))
    assert any("s2s_port and s2s_direct_tls_port are both 5269" in line for line in found)


def test_all_nodes_of_a_domain_are_reached_by_streams_the_first_one_first(load_text: Load) -> None:
    text = MIXED.replace("domain: montague.lit}", "domain: montague.lit, nodes: 3, s2s_direct_tls_port: 5270}")
    plan = plan_of(load_text, text)
    nodes, prosody = plan.nodes_of("s1"), plan.server_named("s2")
    hosts = [node.host for node in nodes]
    assert [peer for peer in prosody.s2s_peers if peer.domain == "montague.lit"] == [
        *(S2sPeer("montague.lit", host, 5270, True) for host in hosts),
        *(S2sPeer("montague.lit", host, 5269) for host in hosts),
    ]
    assert len({node.s2s_peers for node in nodes}) == 1
    fewer = with_nodes(plan, "s1", 1)
    assert {peer.host for peer in fewer.server_named("s2").s2s_peers if peer.domain == "montague.lit"} == {hosts[0]}
    assert as_written(plan) == as_written(fewer) == plan_of(load_text, text.replace("nodes: 3, ", ""))


def test_two_servers_of_ours_need_no_streams(load_text: Load) -> None:
    plan = plan_of(load_text, "name: x\nservers: {s1: {domain: a.lit}, s2: {domain: b.lit}}\n")
    assert [server.s2s_peers for server in plan.servers] == [(), ()]


def test_contacts_are_mutual_between_kinds(load_text: Load) -> None:
    [juliet] = plan_of(load_text).servers[1].accounts
    assert [contact.jid for contact in juliet.contacts] == ["romeo@montague.lit"]


def test_one_of_another_kind_has_one_node(load_text: Load) -> None:
    with pytest.raises(ValueError, match="s2 is of kind prosody, which has one node"):
        with_nodes(plan_of(load_text), "s2", 2)


def test_the_name_server_is_in_the_block_of_the_lab_and_no_nodes(load_text: Load) -> None:
    plan = plan_of(load_text)
    assert plan.name_server == (plan.servers[0].host.rpartition(".")[0] + ".255", 5353)
    assert plan.name_server[0] not in {host for host, _ in plan.listeners}


@pytest.mark.parametrize(
    ("server", "link", "expected"),
    [
        (
            "kind: prosodie",
            "",
            "3:29: servers.s2.kind: 'prosodie' is not known; allowed: xmpplab, ejabberd, external, prosody",
        ),
        (
            "kind: prosody, nodes: 2",
            "",
            "3:38: servers.s2.nodes: only a server of kind xmpplab has nodes; delete this key",
        ),
        (
            "kind: ejabberd, modules: [ping]",
            "",
            "3:39: servers.s2.modules: only a server of kind xmpplab has modules; delete this key",
        ),
        (
            "kind: prosody",
            "{between: [s1, s2], transport: redis}",
            "4:40: links[0].transport: s2 is of kind prosody, which knows no Redis; "
            "write s2s or bidi, or delete this key",
        ),
        (
            "kind: prosody}, s3: {domain: c.lit, kind: ejabberd",
            "{from: s2, to: s3, delay: 1s}",
            "4:9: links[0]: no server of kind xmpplab is at this link, and no other has faults; delete delay",
        ),
    ],
)
def test_what_a_kind_cannot_have(problems: Problems, server: str, link: str, expected: str) -> None:
    text = f"name: x\nservers: {{s1: {{domain: a.lit}},\n  s2: {{domain: b.lit, {server}}}}}\nlinks: [{link}]\n"
    assert f"lab.yaml:{expected}" in problems(text)


EXTERNAL = """
    name: x
    servers:
      s1: {domain: a.lit}
      s2: {domain: b.lit, kind: external}
      s3: {domain: c.lit, kind: external, host: 192.0.2.7, s2s_port: 6269}
"""


def test_who_is_started_by_others_has_a_place_all_the_same(load_text: Load) -> None:
    plan = plan_of(load_text, EXTERNAL)
    ours, here, elsewhere = plan.servers
    assert plan.started == [ours]
    assert here.host.startswith("127.")
    assert [host for host, _ in plan.listeners if host in (here.host, elsewhere.host)] == []
    assert ours.s2s_peers == (S2sPeer("b.lit", here.host, 5269), S2sPeer("c.lit", "192.0.2.7", 6269))


def test_a_further_node_gets_nobodys_address(load_text: Load) -> None:
    hosts = [server.host for server in with_nodes(plan_of(load_text, EXTERNAL), "s1", 3).servers]
    assert len(set(hosts)) == len(hosts)


def test_an_external_server_has_an_ip_address(problems: Problems) -> None:
    text = "name: x\nservers: {s1: {domain: a.lit, kind: external, host: there}}\n"
    assert problems(text) == [
        "lab.yaml:2:53: servers.s1.host: 'there' is not an IP address; write one, or delete this key"
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "'::'", "224.0.0.1"])
def test_a_server_elsewhere_has_an_address_to_connect_to(problems: Problems, host: str) -> None:
    [line] = problems(f"name: x\nservers:\n  s1: {{domain: a.lit, kind: external, host: {host}}}\n")
    address = host.strip("'")
    assert line.endswith(f"no server is at {address}; write the address that others connect to, or delete this key")
