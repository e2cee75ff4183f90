"""The lab's own DNS: the addresses of its domains and where their servers listen, and nothing else.

It answers A and SRV (RFC 6120 section 3.2.1, XEP-0368) for servers that are not ours and for clients; everything is at
IPv4 addresses of the loopback. A name outside the lab does not exist (NXDOMAIN): nobody else is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import idna
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.names import dns as untyped
from twisted.names.server import DNSServerFactory

from cluster.lab.processes.probe import Reactor
from cluster.topology.plan import Plan, ServerNode, XmpplabServer

dns: Any = untyped

TTL_S = 1
"""Addresses change when a lab comes up anew."""
_MAX_DATAGRAM = 512
"""RFC 1035 section 4.2.1."""
MAX_CONNECTIONS = 64
"""Over TCP, at once; further ones are closed."""

Records = Mapping[str, Sequence[Any]]
"""By the names that they are of, in lower case."""


def records(plan: Plan) -> dict[str, list[Any]]:
    """What the DNS of this lab has."""
    found: dict[str, list[Any]] = {}
    for server in plan.servers:
        target = _ascii(server.domain) if not server.node_of else f"{server.name}.{_ascii(server.domain)}"
        found.setdefault(target, []).append(dns.Record_A(server.host, ttl=TTL_S))
        for service, port in _services(server):
            record = dns.Record_SRV(0, 0, port, target, ttl=TTL_S)
            domains = server.domains if "-server" in service else [server.domain]
            for domain in map(_ascii, domains):
                found.setdefault(f"{service}._tcp.{domain}", []).append(record)
        for domain in server.domains[1:]:
            found.setdefault(_ascii(domain), []).append(dns.Record_A(server.host, ttl=TTL_S))
    return found


def _services(server: ServerNode) -> list[tuple[str, int]]:
    found = [("_xmpp-client", server.c2s_port)]
    if server.direct_tls is not None:
        found.append(("_xmpps-client", server.direct_tls_port))
    if server.s2s_peers or not isinstance(server, XmpplabServer):
        found.append(("_xmpp-server", server.s2s_port))
    return found


class Answers(DNSServerFactory):
    """Answers questions from the records that it was given last, over UDP and TCP."""

    noisy = False

    def __init__(self, found: Records) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.serve(found)

    def serve(self, found: Records) -> None:
        """Answer from these records from now on."""
        self._records = found
        labels = [name.split(".") for name in found]
        self._names = {".".join(each[at:]) for each in labels for at in range(len(each))}
        """Those that exist: an empty one has others below it (RFC 8020)."""

    def buildProtocol(self, addr: Any) -> Any:
        return None if len(self.connections) >= MAX_CONNECTIONS else super().buildProtocol(addr)  # type: ignore[no-untyped-call]

    def handleQuery(self, message: Any, protocol: Any, address: Any) -> None:
        """Answer the first question (RFC 1035 section 4.1); a long answer over UDP is cut, and asked for over TCP."""
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
    """It listens at the plan's address, over UDP and TCP."""

    _log = Logger()

    def __init__(self, plan: Plan) -> None:
        self._answers = Answers(records(plan))
        self._address = plan.name_server

    def start(self, reactor: Reactor) -> None:
        """Answer. A port that somebody else took is told, and the lab does without."""
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


def _ascii(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode()
