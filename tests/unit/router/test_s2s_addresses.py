"""The addresses of another domain are tried until one gives a stream, with direct TLS where they say so."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs

from cluster.router.s2s import connecting
from cluster.router.s2s.pair import QUEUE_S
from cluster.router.s2s.ports import NEGOTIATION_S, Address
from cluster.xmpp.errors import Condition
from tests.harness import ReactorThread
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, chat, text_of
from tests.unit.router.s2s_peers import AT_CAPULET, Peers, play, texts
from tests.unit.router.s2s_sockets import ANSWER, OF_MONTAGUE, Listener, Server

HOST = "127.0.0.1"
STARTTLS_OFFER = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
EXTERNAL_OFFER = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
Serve = Callable[[socket.socket], None]


@pytest.fixture
def capulet(reactor_thread: ReactorThread) -> Iterator[Server]:
    server = Server(reactor_thread, "required")
    yield server
    server.stop()


@pytest.fixture
def montague(reactor_thread: ReactorThread) -> Iterator[Server]:
    server = Server(reactor_thread, "required", MONTAGUE)
    yield server
    server.stop()


# --- direct TLS (XEP-0368)


def test_an_address_of_direct_tls_gets_tls_first_and_no_starttls(capulet: Server, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = tmp_path / "montague.pem"
    file.write_bytes(OF_MONTAGUE.pem)
    context.load_cert_chain(file)
    context.set_alpn_protocols(["xmpp-client", "xmpp-server"])
    named: list[str | None] = []
    context.sni_callback = lambda connection, name, of: named.append(name)
    chosen: list[str | None] = []
    got: list[bytes] = []

    def serve(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as connection:
            chosen.append(connection.selected_alpn_protocol())
            got.append(connection.recv(65_536))
            offer = STARTTLS_OFFER + EXTERNAL_OFFER
            connection.sendall(f"{ANSWER}<stream:features>{offer}</stream:features>".encode())
            got.append(connection.recv(65_536))

    listener = Listener(serve)
    capulet.addresses[MONTAGUE] = (Address(HOST, listener.port, direct_tls=True),)
    capulet.send("hello")
    capulet.wait(lambda: len(got) >= 2)
    listener.close()
    assert (chosen[0], named[0]) == ("xmpp-server", MONTAGUE)
    assert got[0].startswith(b"<?xml")
    assert b"EXTERNAL" in got[1]


def test_our_servers_speak_direct_tls_to_each_other(capulet: Server, montague: Server) -> None:
    capulet.addresses[MONTAGUE] = (Address(HOST, montague.port, direct_tls=True),)
    capulet.send("hello")
    capulet.wait(lambda: montague.node.delivered)
    assert [text_of(stanza) for stanza in montague.node.delivered] == ["hello"]


# --- the next address


def closes(connection: socket.socket) -> None:
    """Ends the connection without a word."""


def _says(*texts: str) -> Serve:
    """Answers each time that something comes."""

    def say(connection: socket.socket) -> None:
        for text in texts:
            connection.recv(65_536)
            connection.sendall(text.encode())
        with suppress(OSError):
            while connection.recv(65_536):
                pass

    return say


def _error(condition: str) -> str:
    return (
        f"{ANSWER}<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        "</stream:stream>"
    )


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (closes, "Connection"),
        (_says(f"{ANSWER}<stream:features/>"), "does not offer TLS"),
        (_says(f"{ANSWER}<stream:features>{STARTTLS_OFFER}</stream:features>",
               "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), "refuses TLS"),
        (_says(f"{ANSWER}<stream:features>{STARTTLS_OFFER}</stream:features>",
               "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "no TLS"), "SSL"),
        (_says(_error("host-unknown")), "host-unknown"),
        (_says("HTTP/1.1 400 Bad Request\r\n\r\n"), "not well-formed"),
    ],
    ids=["closes", "no TLS", "TLS refused", "broken TLS", "host-unknown", "no XMPP"],
)  # fmt: skip
def test_where_one_address_gives_no_stream_the_next_one_is_tried(
    capulet: Server, montague: Server, serve: Serve, why: str
) -> None:
    listener = Listener(serve)
    capulet.addresses[MONTAGUE] = (Address(HOST, listener.port), Address(HOST, montague.port))
    with capturedLogs() as logs:
        capulet.send("hello")
        capulet.wait(lambda: montague.node.delivered)
    listener.close()
    assert capulet.node.bounced == []
    assert any(f":{listener.port}: " in told and why in told for told in _told(logs)), _told(logs)


@pytest.mark.parametrize("serve", [closes, _says("no TLS")], ids=["closes", "no TLS"])
def test_where_direct_tls_fails_starttls_is_tried(capulet: Server, montague: Server, serve: Serve) -> None:
    listener = Listener(serve)
    first = Address(HOST, listener.port, direct_tls=True)
    capulet.addresses[MONTAGUE] = (first, Address(HOST, montague.port))
    capulet.send("hello")
    capulet.wait(lambda: montague.node.delivered)
    listener.close()


def _told(logs: Any) -> list[str]:
    return [str(event["error"]) for event in logs if "error" in event]


def _world(hosts: int) -> tuple[S2sWorld, list[Peers]]:
    """Capulet has this many addresses, at each of which the test answers."""
    world = S2sWorld()
    ports, all_peers = world.ports, [Peers() for _ in range(hosts)]
    addresses = [Address(f"host{number}", 5269) for number in range(hosts)]

    async def names(domain: str) -> list[Address]:
        return addresses

    def with_names(domain: str, node: Any) -> Any:
        made = ports(domain, node)
        object.__setattr__(made, "names", names)
        return made

    world.ports = with_names
    for address, peers in zip(addresses, all_peers, strict=True):
        world.wires.listen(address, peers)
    return world, all_peers


@pytest.mark.parametrize(
    ("conditions", "condition", "at_once"),
    [
        (("host-unknown", "host-unknown"), Condition.REMOTE_SERVER_NOT_FOUND, True),
        (("not-authorized", "host-unknown"), Condition.REMOTE_SERVER_NOT_FOUND, True),
        (("host-unknown", "resource-constraint"), Condition.REMOTE_SERVER_TIMEOUT, False),
        (("system-shutdown", "host-unknown"), Condition.REMOTE_SERVER_TIMEOUT, False),
    ],
)
def test_senders_are_told_at_once_where_no_address_may_succeed_later(
    conditions: tuple[str, ...], condition: Condition, at_once: bool
) -> None:
    world, all_peers = _world(len(conditions))

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        s1.send(chat("0"))
        while not s1.bounced:
            for peers, said in zip(all_peers, conditions, strict=True):
                for peer in peers.all:
                    if peer.got and not peer.is_over:
                        peer.say(_error(said))
            world.clock.advance(0.05)
        [(stanza, error)] = s1.bounced
        assert text_of(stanza) == "0"
        assert error.condition is condition
        assert (world.clock.seconds() < 1) is at_once
        if not at_once:
            assert world.clock.seconds() < QUEUE_S + 1
            assert all(said in error.text for said in conditions)

    world.run(scenario)


@pytest.mark.parametrize("condition", ["reset", "host-unknown", "x" * 9_000])
def test_what_peers_write_is_told_to_senders_within_bounds(condition: str) -> None:
    """Each of 100,000 stanzas that wait may come back with it."""
    world, all_peers = _world(connecting.MAX_ADDRESSES)
    text = f"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{'x' * 5_000}</text></stream:error>"

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        s1.send(chat("0"))
        while not s1.bounced:
            for peers in all_peers:
                for peer in peers.all:
                    if peer.got and not peer.is_over:
                        peer.say(_error(condition).replace("</stream:error>", text))
            world.clock.advance(0.1)
        [(_, error)] = s1.bounced
        assert condition[:100] in error.text
        assert len(error.text) < 1_200

    world.run(scenario)


def test_addresses_that_never_answer_are_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    world, all_peers = _world(10)

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        s1.send(chat("0"))
        world.clock.advance(0)
        for _ in range(int(connecting.TRY_S + NEGOTIATION_S)):
            world.clock.advance(1)
        assert [len(peers.all) for peers in all_peers] == [1, 1] + 8 * [0]
        [(_, error)] = s1.bounced
        assert error.condition is Condition.REMOTE_SERVER_TIMEOUT

    world.run(scenario)


def test_no_more_addresses_are_tried_than_a_name_server_can_make_up() -> None:
    world, all_peers = _world(connecting.MAX_ADDRESSES + 5)

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        s1.send(chat("0"))
        while not s1.bounced:
            for peers in all_peers:
                for peer in peers.all:
                    if peer.got and not peer.is_over:
                        peer.say(_error("host-gone"))
            world.clock.advance(0.01)
        assert [len(peers.all) for peers in all_peers] == connecting.MAX_ADDRESSES * [1] + 5 * [0]

    world.run(scenario)


def test_direct_tls_is_not_tried_without_tls() -> None:
    async def scenario(world: S2sWorld) -> None:
        ports = world.ports

        def with_names(domain: str, node: Any) -> Any:
            made = ports(domain, node)
            if domain == MONTAGUE:

                async def names(domain: str) -> list[Address]:
                    return [Address("tls", 5270, direct_tls=True), AT_CAPULET]

                object.__setattr__(made, "names", names)
            return made

        world.ports = with_names
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(chat("0"))
        await world.until(lambda: s2.delivered)
        assert texts(s2) == ["0"]
        assert {to for to, _, _ in world.wires.ends} == {AT_CAPULET, Address(MONTAGUE, 5269)}

    play(scenario)
