"""The lab's own DNS."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.testing import StringTransport
from twisted.names import dns

from cluster.kinds.prosody import Prosody
from cluster.lab.processes.dns import MAX_CONNECTIONS, Answers, records
from cluster.topology.plan import ComponentSeed, Plan, S2sPeer, ServerNode, XmpplabServer

OURS = XmpplabServer("s1", "montague.lit", "127.16.0.1", 5222, "required")
SECOND = XmpplabServer("s1-2", "montague.lit", "127.16.0.9", 5222, "required", node_of="s1")
SMS = ComponentSeed("sms.capulet.lit", "secret")
PROSODY = Prosody("s2", "capulet.lit", "127.16.0.2", 5222, "off", components=(SMS,), s2s_port=6269)
GREEK = Prosody("s3", "Ἰθάκη.lit".lower(), "127.16.0.3", 5222, "off")


class Wire:
    """Takes what the server answers."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, Any]] = []

    def writeMessage(self, message: Any, address: Any = None) -> None:
        decoded = dns.Message()
        decoded.fromStr(message.toStr())
        self.sent.append((decoded, address))


def ask(name: str, kind: int, *servers: ServerNode, over: object = ("127.0.0.1", 40000), desired: bool = True) -> Any:
    """The answer as the wire has it."""
    answers = Answers(records(Plan("verona", "", "/lab", servers or (OURS, SECOND, PROSODY))))
    message, wire = dns.Message(id=7, recDes=desired), Wire()
    message.timeReceived = 0.0
    message.queries = [dns.Query(name.encode(), kind)]
    answers.messageReceived(message, wire, over)
    [(answer, address)] = wire.sent
    assert address == over
    assert (answer.id, answer.answer, answer.auth, answer.recAv) == (7, 1, 1, 0)
    return answer


def services(answer: Any) -> list[tuple[int, str]]:
    return [(each.payload.port, each.payload.target.name.decode()) for each in answer.answers]


def addresses(found: Any) -> list[tuple[str, str]]:
    return [(each.name.name.decode(), each.payload.dottedQuad()) for each in found]


def test_the_address_of_a_domain() -> None:
    assert addresses(ask("capulet.lit", dns.A).answers) == [("capulet.lit", "127.16.0.2")]
    assert addresses(ask("SMS.Capulet.lit", dns.A).answers) == [("sms.capulet.lit", "127.16.0.2")]


def test_clients_find_every_node() -> None:
    found = ask("_xmpp-client._tcp.montague.lit", dns.SRV)
    assert services(found) == [(5222, "montague.lit"), (5222, "s1-2.montague.lit")]
    assert addresses(found.additional) == [("montague.lit", "127.16.0.1"), ("s1-2.montague.lit", "127.16.0.9")]


def test_direct_tls_is_there_where_there_is_tls() -> None:
    assert services(ask("_xmpps-client._tcp.montague.lit", dns.SRV))[0] == (5223, "montague.lit")
    assert ask("_xmpps-client._tcp.capulet.lit", dns.SRV).rCode == dns.ENAME


def test_servers_find_a_domain_and_its_components() -> None:
    assert services(ask("_xmpp-server._tcp.capulet.lit", dns.SRV)) == [(6269, "capulet.lit")]
    assert services(ask("_xmpp-server._tcp.sms.capulet.lit", dns.SRV)) == [(6269, "capulet.lit")]
    assert ask("_xmpp-server._tcp.montague.lit", dns.SRV).rCode == dns.ENAME, "nobody speaks with it over streams"


def test_servers_are_told_of_direct_tls_first() -> None:
    """XEP-0368 section 3: the records of both services are one set, ordered by their priorities."""
    direct = XmpplabServer(
        "s1", "montague.lit", "127.16.0.1", 5222, "required", s2s_direct_tls_port=5270,
        s2s_peers=(S2sPeer("capulet.lit", "127.16.0.2", 5269),),
    )  # fmt: skip
    [first] = ask("_xmpps-server._tcp.montague.lit", dns.SRV, direct).answers
    [second] = ask("_xmpp-server._tcp.montague.lit", dns.SRV, direct).answers
    assert (first.payload.port, second.payload.port) == (5270, 5269)
    assert first.payload.priority < second.payload.priority
    assert ask("_xmpps-server._tcp.capulet.lit", dns.SRV).rCode == dns.ENAME


def test_servers_find_every_node() -> None:
    nodes = [
        msgspec.structs.replace(node, s2s_peers=(S2sPeer("c.lit", "127.16.0.7", 5269),)) for node in (OURS, SECOND)
    ]
    found = ask("_xmpp-server._tcp.montague.lit", dns.SRV, *nodes)
    assert services(found) == [(5269, "montague.lit"), (5269, "s1-2.montague.lit")]


def test_a_name_that_has_no_such_record_exists_all_the_same() -> None:
    """RFC 2308 section 2.2: no error, and no answer; so with a name that has others below it (RFC 8020)."""
    for name in ("montague.lit", "_tcp.montague.lit", "lit"):
        found = ask(name, dns.AAAA)
        assert (found.rCode, found.answers) == (dns.OK, [])


def test_nobody_else_is_asked() -> None:
    assert ask("example.com", dns.A).rCode == dns.ENAME


def test_the_wish_for_recursion_comes_back() -> None:
    """RFC 1035 section 4.1.1: RD is copied into the response; Erlang drops one where it is not."""
    assert ask("capulet.lit", dns.A, desired=True).recDes
    assert not ask("capulet.lit", dns.A, desired=False).recDes


def test_names_are_ascii_on_the_wire() -> None:
    [name] = [name for name in records(Plan("x", "", "/lab", (GREEK,))) if "_" not in name]
    assert name.startswith("xn--")
    assert ask(name, dns.A, GREEK).rCode == dns.OK


def test_a_long_answer_is_cut_over_udp_only() -> None:
    nodes = [
        XmpplabServer(f"s1-{n}", "montague.lit", f"127.16.0.{n}", 5222, "off", node_of="s1" if n > 1 else "")
        for n in range(1, 17)
    ]
    assert ask("_xmpp-client._tcp.montague.lit", dns.SRV, *nodes).trunc
    assert len(services(ask("_xmpp-client._tcp.montague.lit", dns.SRV, *nodes, over=None))) == 16


def connected(answers: Answers) -> StringTransport:
    transport = StringTransport()
    answers.buildProtocol(None).makeConnection(transport)
    return transport


def test_idle_connections_do_not_lock_new_ones_out() -> None:
    """RFC 7766 section 6.2.3: a server may close idle connections."""
    answers = Answers({})
    connections = [connected(answers) for _ in range(MAX_CONNECTIONS + 2)]
    assert [each.disconnecting or each.disconnected for each in connections] == [True] * 2 + [False] * MAX_CONNECTIONS


def test_a_client_that_does_not_read_its_answers_is_not_read() -> None:
    transport = connected(Answers({}))
    assert transport.producer is not None
    transport.producer.pauseProducing()
    assert transport.producerState == "paused"
