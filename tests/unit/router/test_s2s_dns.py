"""Where a domain's server is, by DNS: asked of the lab's own name server, over UDP and TCP of the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.names import dns as untyped
from twisted.names.client import Resolver
from twisted.names.error import DNSNameError, DNSServerError

from cluster.lab.processes.dns import Answers, records
from cluster.router.s2s.dns import DnsNames
from cluster.topology.plan import Plan, S2sPeer, XmpplabServer
from cluster.xmpp.errors import Condition
from tests.harness import ReactorThread
from tests.ports.worlds import MONTAGUE, text_of
from tests.unit.router.s2s_sockets import Server

dns: Any = untyped
A, AAAA, SRV = (partial(kind, ttl=1) for kind in (dns.Record_A, dns.Record_AAAA, dns.Record_SRV))
STARTTLS, DIRECT = "_xmpp-server._tcp.m.lit", "_xmpps-server._tcp.m.lit"


class NameServer(Answers):
    """The lab's, on a free port; knows what it was asked. Names in `broken` get SERVFAIL."""

    def __init__(self, thread: ReactorThread, found: dict[str, list[Any]]) -> None:
        super().__init__(found)
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self._thread = thread
        thread.run(self._start)

    async def _start(self) -> None:
        reactor = self._thread.reactor
        self._over_tcp = reactor.listenTCP(0, self, interface="127.0.0.1")
        port = self._over_tcp.getHost().port
        self._over_udp = reactor.listenUDP(port, dns.DNSDatagramProtocol(self), "127.0.0.1")
        self.resolver: Any = Resolver(servers=[("127.0.0.1", port)], reactor=reactor)

    def handleQuery(self, message: Any, protocol: Any, address: Any) -> None:
        name = message.queries[0].name.name.decode()
        self.asked.append(name)
        if name in self.broken:
            message.rCode, message.answer = dns.ESERVER, True
            self.sendReply(protocol, message, address)
        else:
            super().handleQuery(message, protocol, address)

    def stop(self) -> None:
        async def stop() -> None:
            for each in (self._over_tcp, self._over_udp):
                await maybeDeferred(each.stopListening)

        self._thread.run(stop)

    def look_up(self, domain: str, random: Callable[[], float] = lambda: 0.5) -> list[tuple[str, int, bool]]:
        async def look_up() -> list[tuple[str, int, bool]]:
            return [tuple(each) for each in await DnsNames(self.resolver, random)(domain)]

        found: list[tuple[str, int, bool]] = self._thread.run(look_up)
        return found


Serve = Callable[..., NameServer]


@pytest.fixture
def serve(reactor_thread: ReactorThread) -> Iterator[Serve]:
    """Starts a name server with these records."""
    started: list[NameServer] = []

    def start(found: dict[str, list[Any]]) -> NameServer:
        started.append(NameServer(reactor_thread, found))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_the_labs_records_lead_to_its_servers(serve: Serve) -> None:
    peers = (S2sPeer("capulet.lit", "127.16.0.2", 5269),)
    one = XmpplabServer(
        "s1", "montague.lit", "127.16.0.1", 5222, "required", s2s_direct_tls_port=5270, s2s_peers=peers
    )  # fmt: skip
    other = XmpplabServer("s2", "münchen.lit", "127.16.0.2", 5222, "required", s2s_port=6269, s2s_peers=peers)
    server = serve(records(Plan("verona", "", "/lab", (one, other))))
    assert server.look_up("montague.lit") == [("127.16.0.1", 5270, True), ("127.16.0.1", 5269, False)]
    assert server.look_up("münchen.lit") == [("127.16.0.2", 6269, False)]
    assert server.look_up("elsinore.lit") == []


def test_without_srv_records_the_domain_itself_is_tried_at_the_usual_port(serve: Serve) -> None:
    """RFC 6120 section 3.2.2."""
    server = serve({"m.lit": [A("192.0.2.1"), A("192.0.2.2"), AAAA("2001:db8::1")]})
    assert sorted(server.look_up("m.lit")) == [
        ("192.0.2.1", 5269, False), ("192.0.2.2", 5269, False), ("2001:db8::1", 5269, False)
    ]  # fmt: skip
    assert server.look_up("m.lit")[-1][0] == "2001:db8::1"


def test_a_server_may_have_ipv6_only(serve: Serve) -> None:
    server = serve({STARTTLS: [SRV(0, 0, 5269, "x.lit")], "x.lit": [AAAA("2001:db8::1")]})
    assert server.look_up("m.lit") == [("2001:db8::1", 5269, False)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({STARTTLS: [SRV(0, 0, 5269, b"")]}, []),
        ({DIRECT: [SRV(0, 0, 5270, b"")]}, []),
        ({DIRECT: [SRV(0, 0, 5270, b"")], STARTTLS: [SRV(0, 0, 5269, "x.lit")]}, [("192.0.2.9", 5269, False)]),
        ({STARTTLS: [SRV(0, 0, 5269, b"")], DIRECT: [SRV(0, 0, 5270, "x.lit")]}, [("192.0.2.9", 5270, True)]),
        ({STARTTLS: [SRV(0, 0, 5269, "nowhere.lit")]}, []),
    ],
    ids=["no service", "no direct TLS, and no more", "STARTTLS only", "direct TLS only", "a target without address"],
)
def test_who_has_srv_records_is_reached_as_they_say_and_not_otherwise(
    serve: Serve, found: dict[str, list[Any]], expected: list[Any]
) -> None:
    """RFC 6120 section 3.2.1, XEP-0368 section 3: the target "." is no service, and nothing else is tried."""
    assert serve({**found, "m.lit": [A("192.0.2.1")], "x.lit": [A("192.0.2.9")]}).look_up("m.lit") == expected


def test_priorities_of_both_services_are_mixed_and_weights_share_the_load(serve: Serve) -> None:
    """XEP-0368 section 3, RFC 2782."""
    hosts = {f"h{number}.lit": [A(f"192.0.2.{number}")] for number in range(1, 5)}
    direct = [SRV(20, 0, 1, "h1.lit"), SRV(10, 1, 2, "h2.lit")]
    server = serve({DIRECT: direct, STARTTLS: [SRV(10, 3, 3, "h3.lit"), SRV(30, 0, 4, "h4.lit")], **hosts})
    ports = [port for _, port, _ in server.look_up("m.lit", lambda: 0.1)]
    assert ports == [2, 3, 1, 4]
    first = [server.look_up("m.lit", lambda part=part: part / 8)[0][1] for part in range(8)]
    assert sorted(first) == [2, 2, 2, 3, 3, 3, 3, 3]  # a fourth, and the edge


def test_an_answer_that_does_not_come_is_no_answer(serve: Serve) -> None:
    """The domain may exist: whoever writes to it waits for the next attempt, and nothing else is tried."""
    server = serve({"m.lit": [A("192.0.2.1")]})
    server.broken = {STARTTLS}
    with pytest.raises(OSError, match=r"the SRV records of m\.lit: DNSServerError"):
        server.look_up("m.lit")
    server.broken = {STARTTLS, DIRECT}
    with pytest.raises(OSError, match=r"the SRV records of m\.lit: DNSServerError"):
        server.look_up("m.lit")
    server.broken = {"m.lit"}
    with pytest.raises(OSError, match=r"the address of m\.lit"):
        server.look_up("m.lit")


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        ({DIRECT: [SRV(0, 0, 5270, b"")]}, STARTTLS),
        ({DIRECT: [SRV(0, 0, 5270, "nowhere.lit")]}, STARTTLS),
        ({STARTTLS: [SRV(0, 0, 5269, b"")]}, DIRECT),
        ({STARTTLS: [SRV(0, 0, 5269, "nowhere.lit")]}, DIRECT),
        ({STARTTLS: [SRV(0, 0, 5269, "nowhere.lit"), SRV(0, 0, 5269, "broken.lit")]}, "broken.lit"),
    ],
    ids=["no direct TLS", "direct TLS nowhere", "no STARTTLS", "STARTTLS nowhere", "one target"],
)
def test_a_domain_is_without_service_only_if_every_answer_says_so(
    serve: Serve, found: dict[str, list[Any]], broken: str
) -> None:
    """Otherwise whoever writes to it would get remote-server-not-found while a name server is away."""
    server = serve({**found, "m.lit": [A("192.0.2.1")]})
    server.broken = {broken}
    with pytest.raises(OSError, match="DNS does not tell"):
        server.look_up("m.lit")


class Told:
    """A resolver with these answers."""

    def __init__(self, v4: Any, v6: Any, srv: Any = DNSNameError()) -> None:  # noqa: B008
        self.v4, self.v6, self.srv = v4, v6, srv

    def _answer(self, found: Any) -> Deferred[Any]:
        if isinstance(found, Exception):
            return fail(found)
        return succeed(([dns.RRHeader("m.lit", each.TYPE, payload=each) for each in found], [], []))

    def lookupService(self, name: str, timeout: Any) -> Deferred[Any]:
        return self._answer(self.srv if name.startswith("_xmpp-server") else DNSNameError())

    def lookupAddress(self, name: str, timeout: Any) -> Deferred[Any]:
        return self._answer(self.v4)

    def lookupIPV6Address(self, name: str, timeout: Any) -> Deferred[Any]:
        return self._answer(self.v6)


def asked_of(resolver: Told) -> list[Any]:
    found: list[Any] = []
    asking = Deferred.fromCoroutine(DnsNames(resolver, lambda: 0.5)("m.lit"))
    asking.addErrback(lambda failure: failure.trap(OSError)).addCallback(found.append)
    return found[0]


def test_a_name_without_ipv4_whose_ipv6_is_not_told_may_have_an_address() -> None:
    assert asked_of(Told([], DNSServerError())) is OSError
    assert asked_of(Told(DNSNameError(), DNSServerError())) is OSError
    assert asked_of(Told([], DNSNameError())) == []
    assert asked_of(Told([dns.Record_A("192.0.2.1")], DNSServerError())) == [("192.0.2.1", 5269, False)]


def test_thousands_of_records_do_not_hold_up_the_server() -> None:
    """As many as fit into an answer over TCP."""
    compared = [0]

    class Record(dns.Record_SRV):
        def __eq__(self, other: object) -> bool:
            compared[0] += 1
            return super().__eq__(other)

    many = [Record(0, 1, port, b"x.lit") for port in range(3_000)]
    assert len(asked_of(Told([dns.Record_A("192.0.2.1")], DNSNameError(), many))) == 8
    assert compared[0] <= len(many)


def test_a_target_that_is_no_name_is_not_asked() -> None:
    """A name server can make up a name of 60,000 bytes, by pointers."""
    for target in (b"a." * 20_000 + b"lit", b"\xff.lit", b"a/b.lit"):
        record = dns.Record_SRV(0, 0, 5269, target[:1])
        record.target.name = target
        assert asked_of(Told([dns.Record_A("192.0.2.1")], DNSNameError(), [record])) == [], target[:10]


def test_one_broken_name_costs_only_its_own_addresses(serve: Serve) -> None:
    found = {
        DIRECT: [SRV(0, 0, 5270, "broken.lit")], STARTTLS: [SRV(1, 0, 5269, "x.lit")], "x.lit": [A("192.0.2.9")],
    }  # fmt: skip
    server = serve(found)
    server.broken = {"broken.lit"}
    assert server.look_up("m.lit") == [("192.0.2.9", 5269, False)]
    server.broken = {DIRECT}
    assert server.look_up("m.lit") == [("192.0.2.9", 5269, False)]


def test_what_a_name_server_makes_up_is_bounded(serve: Serve) -> None:
    """The answer does not fit into a datagram: it comes over TCP."""
    targets = {f"host{number:02}.with-a-long-name.lit": [A(f"192.0.2.{number}")] for number in range(60)}
    server = serve({STARTTLS: [SRV(0, 0, 5269, target) for target in targets], **targets})
    assert len(server.look_up("m.lit")) == 8


@pytest.mark.parametrize("domain", ["x" * 64 + ".lit", "a." * 150 + "lit", "[::1]", "a..lit", "a b.lit", "a/b"])
def test_what_is_no_name_of_dns_is_not_asked(serve: Serve, domain: str) -> None:
    server = serve({})
    assert server.look_up(domain) == []
    assert server.asked == []


def test_a_message_finds_its_way_by_dns(serve: Serve, reactor_thread: ReactorThread) -> None:
    capulet, montague = Server(reactor_thread, "required"), Server(reactor_thread, "required", MONTAGUE)
    found = serve({f"_xmpps-server._tcp.{MONTAGUE}": [SRV(0, 0, montague.port, "x.lit")], "x.lit": [A("127.0.0.1")]})
    ask = DnsNames(found.resolver, lambda: 0.5)
    try:
        capulet.names = ask
        capulet.send("hello")
        capulet.wait(lambda: montague.node.delivered)
        assert [text_of(stanza) for stanza in montague.node.delivered] == ["hello"]
    finally:
        capulet.names = None
        montague.stop()
        capulet.stop()


def test_who_writes_to_a_domain_without_service_is_told_at_once(serve: Serve, reactor_thread: ReactorThread) -> None:
    capulet = Server(reactor_thread, "required")
    capulet.names = DnsNames(serve({f"_xmpp-server._tcp.{MONTAGUE}": [SRV(0, 0, 0, b"")]}).resolver, lambda: 0.5)
    try:
        capulet.send("hello")
        capulet.wait(lambda: capulet.node.bounced)
        [(_, error)] = capulet.node.bounced
        assert error.condition is Condition.REMOTE_SERVER_NOT_FOUND
    finally:
        capulet.stop()
