"""The lab's own DNS: the addresses of its domains and the ports of their servers, for clients and foreign servers.

It has A and SRV records (RFC 6120 section 3.2.1, XEP-0368); all addresses are IPv4 addresses of the loopback. A name
outside the lab does not exist (NXDOMAIN): no other name server is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.names import dns as untyped
from twisted.names.server import DNSServerFactory

from cluster.lab.processes.probe import Reactor
from cluster.topology.plan import Plan, ServerNode, XmpplabServer
from cluster.xmpp.streams.servers.certificate import ascii_form

dns: Any = untyped

TTL_S = 1
"""Short: a lab may have other addresses after its next start."""
_MAX_DATAGRAM = 512
"""Bytes (RFC 1035 section 4.2.1)."""
MAX_CONNECTIONS = 64
"""Maximum of open TCP connections; beyond it, the oldest is closed (RFC 7766 section 6.2.3)."""

Records = Mapping[str, Sequence[Any]]
"""Records by their names, in lower case."""


def records(plan: Plan) -> dict[str, list[Any]]:
    """The records of a lab."""
    found: dict[str, list[Any]] = {}
    for server in plan.servers:
        target = ascii_form(server.domain) if not server.node_of else f"{server.name}.{ascii_form(server.domain)}"
        found.setdefault(target, []).append(dns.Record_A(server.host, ttl=TTL_S))
        for service, port, priority in _services(server):
            record = dns.Record_SRV(priority, 0, port, target, ttl=TTL_S)
            domains = server.domains if "-server" in service else [server.domain]
            for domain in map(ascii_form, domains):
                found.setdefault(f"{service}._tcp.{domain}", []).append(record)
        for domain in server.domains[1:]:
            found.setdefault(ascii_form(domain), []).append(dns.Record_A(server.host, ttl=TTL_S))
    return found


def _services(server: ServerNode) -> list[tuple[str, int, int]]:
    """The services with their ports and priorities; servers prefer direct TLS, as in the plan (ServerNode.at)."""
    found = [("_xmpp-client", server.c2s_port, 0)]
    if server.direct_tls is not None:
        found.append(("_xmpps-client", server.direct_tls_port, 0))
    if server.takes_streams or not isinstance(server, XmpplabServer):
        direct = server.s2s_direct_tls
        if direct is not None:
            found.append(("_xmpps-server", direct, 0))
        found.append(("_xmpp-server", server.s2s_port, 0 if direct is None else 1))
    return found


class Answers(DNSServerFactory):
    """Answers questions from the newest records, over UDP and TCP."""

    noisy = False

    def __init__(self, found: Records) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.serve(found)

    def serve(self, found: Records) -> None:
        """Answer from these records from now on."""
        self._records = found
        labels = [name.split(".") for name in found]
        self._names = {".".join(each[at:]) for each in labels for at in range(len(each))}
        """All names that exist; one without records has others below it (RFC 8020)."""

    def connectionMade(self, protocol: Any) -> None:
        """A TCP connection is open. It is read only while the client reads its answers."""
        super().connectionMade(protocol)  # type: ignore[no-untyped-call]
        protocol.transport.registerProducer(protocol.transport, True)
        for oldest in self.connections[:-MAX_CONNECTIONS]:
            oldest.transport.abortConnection()

    def handleQuery(self, message: Any, protocol: Any, address: Any) -> None:
        """Answer the first question (RFC 1035 section 4.1). A long answer over UDP is cut; clients repeat over TCP."""
        query = message.queries[0]
        name = query.name.name.decode("ascii", "replace").lower().rstrip(".")
        response = dns.Message(
            id=message.id, answer=True, opCode=message.opCode, recDes=message.recDes, auth=True,
            rCode=dns.OK if name in self._names else dns.ENAME, maxSize=_MAX_DATAGRAM if address else 0,
        )  # fmt: skip
        response.timeReceived = message.timeReceived
        response.queries = message.queries[:1]
        found = [record for record in self._records.get(name, ()) if query.type in (record.TYPE, dns.ALL_RECORDS)]
        targets = {record.target.name.decode(): None for record in found if record.TYPE == dns.SRV}
        response.answers = [_header(name, record) for record in found]
        response.additional = [_header(each, record) for each in targets for record in self._records.get(each, ())]
        self.sendReply(protocol, response, address)  # type: ignore[no-untyped-call]


def _header(name: str, record: Any) -> Any:
    return dns.RRHeader(name, record.TYPE, dns.IN, record.ttl, record, auth=True)


class _Datagrams(dns.DNSDatagramProtocol):  # type: ignore[misc]
    noisy = False


class NameServer:
    """The DNS at the address of the plan, over UDP and TCP."""

    _log = Logger()

    def __init__(self, plan: Plan) -> None:
        self._answers = Answers(records(plan))
        self._address = plan.name_server

    def start(self, reactor: Reactor) -> None:
        """Start to answer. If the port is taken, that is logged, and the lab runs without DNS."""
        if self._address is None:
            return
        host, port = self._address
        try:
            reactor.listenUDP(port, _Datagrams(self._answers), host)
            reactor.listenTCP(port, self._answers, interface=host)
        except CannotListenError as error:
            self._log.error("The lab's DNS cannot listen: {error}", error=error)

    def serve(self, plan: Plan) -> None:
        """Answer for this plan from now on."""
        self._answers.serve(records(plan))
