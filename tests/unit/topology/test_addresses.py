from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from cluster.topology.addresses import one_host, own_hosts

_ports = st.lists(st.integers(1, 65535), min_size=1, max_size=600)
_attempts = st.integers(0, 100_000)


@given(st.text(), _ports, _attempts)
def test_each_server_has_a_loopback_address_of_its_own(seed: str, ports: list[int], attempt: int) -> None:
    addresses = own_hosts(seed, ports, attempt)
    assert [port for _, port in addresses] == ports
    hosts = [IPv4Address(host) for host, _ in addresses]
    assert len(set(hosts)) == len(ports)
    for host in hosts:
        assert host in IPv4Network("127.0.0.0/8")
        _, a, _, last = host.packed
        assert 16 <= a <= 254
        assert 1 <= last <= 254


@given(st.text(), _ports, st.integers(0, 100))
def test_the_next_attempt_meets_none_of_the_addresses_before_it(seed: str, ports: list[int], attempt: int) -> None:
    assert not {*own_hosts(seed, ports, attempt)} & {*own_hosts(seed, ports, attempt + 1)}


def test_a_lab_of_several_blocks_leaves_them_all_behind() -> None:
    ports = [5222] * 600
    assert not {*own_hosts("verona", ports, 0)} & {*own_hosts("verona", ports, 1)}


def test_addresses_follow_from_the_seed_alone() -> None:
    assert own_hosts("/home/romeo/.xmpplab/verona", [5222, 5222], 0) == own_hosts(
        "/home/romeo/.xmpplab/verona", [5222, 5222], 0
    )
    blocks = {own_hosts(f"/home/{number}", [5222], 0)[0] for number in range(200)}
    assert len(blocks) > 190  # 61,184 blocks: two labs on one machine hardly ever meet, and then attempt 1 parts them


def test_one_host_puts_servers_on_ports_ten_apart() -> None:
    assert one_host([5222, 5222, 5222], 0) == [("127.0.0.1", 5222), ("127.0.0.1", 5232), ("127.0.0.1", 5242)]
    assert one_host([5222, 5222], 1) == [("127.0.0.1", 5242), ("127.0.0.1", 5252)]
    assert one_host([5232, 5222], 0) == [("127.0.0.1", 5232), ("127.0.0.1", 5237)]


@given(_ports, _attempts)
def test_one_host_never_gives_a_port_twice(ports: list[int], attempt: int) -> None:
    addresses = one_host(ports, attempt)
    assert len(set(addresses)) == len(ports)
    assert all(host == "127.0.0.1" and 1 <= port <= 65535 for host, port in addresses)
