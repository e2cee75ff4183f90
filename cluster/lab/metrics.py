"""The metrics of a server: what is counted anyway, read when it is asked for, so that no stanza waits for them.

MongooseIM's names, where it has the metric; `host_type` is the domain there too. Prometheus wants names of counters to
end in `_total`, and MongooseIM's do not: these are of no type (`untyped`). No label has an address.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from prometheus_client.core import Metric

from cluster.base.version import version
from cluster.server.build import Server

if TYPE_CHECKING:
    from cluster.lab.runtime.monitor import Watched

Values = Iterable[tuple[dict[str, str], float]]
"""Labels, in addition to the domain, and the value."""


class Measure(NamedTuple):
    """One metric."""

    name: str
    type: Literal["counter", "gauge", "unknown"]
    about: str
    read: Callable[[Server], Values | float]

    def of(self, servers: Iterable[Server]) -> Metric:
        """Its values now."""
        found = Metric(self.name.removesuffix("_total"), self.about, self.type)
        for server in servers:
            values = self.read(server)
            for labels, value in [({}, values)] if isinstance(values, float | int) else values:
                found.add_sample(self.name, {"host_type": server.domain.name, **labels}, value)
        return found


def _of_clients(count: float) -> Values:
    return [({"connection_type": "c2s"}, count)]


def _stanzas(server: Server) -> Values:
    entered = server.domain.ingress
    yield {"connection_type": "c2s"}, entered.messages + entered.presences + entered.iqs
    yield {"connection_type": "component"}, entered.of_components


SERVER: tuple[Measure, ...] = (
    Measure(
        "xmpp_element_in_stanza_count", "unknown", "Stanzas from clients and components (connection_type).", _stanzas
    ),
    Measure(
        "xmpp_element_in_message_count", "unknown", "Messages from clients.",
        lambda server: _of_clients(server.domain.ingress.messages),
    ),
    Measure(
        "xmpp_element_in_presence_count", "unknown", "Presence stanzas from clients.",
        lambda server: _of_clients(server.domain.ingress.presences),
    ),
    Measure(
        "xmpp_element_in_iq_count", "unknown", "Iq stanzas from clients.",
        lambda server: _of_clients(server.domain.ingress.iqs),
    ),
    Measure(
        "xmpp_element_out_stanza_count", "unknown",
        "Stanzas for the clients of the accounts here; one that is sent again after a break counts once.",
        lambda server: _of_clients(server.domain.persister.sent),
    ),
    Measure(
        "sm_session_count", "gauge", "Sessions at this node, also those that wait for their clients (XEP-0198).",
        lambda server: sum(len(account.sessions) for account in server.domain.accounts.online.values()),
    ),
    Measure(
        "sm_session_logins", "unknown", "Sessions that were bound here.", lambda server: server.domain.accounts.begun
    ),
    Measure(
        "sm_session_logouts", "unknown", "Sessions that have ended here.", lambda server: server.domain.accounts.ended
    ),
    Measure(
        "c2s_auth_failed_count", "unknown", "Logins of clients that were refused.",
        lambda server: (
            server.domain.ingress.refused_logins + sum(each.refused_logins for each in server.clients.streams)
        ),
    ),
    Measure(
        "xmpplab_c2s_streams", "gauge", "Open client streams, logged in or not.",
        lambda server: len(server.clients.streams),
    ),
    Measure(
        "xmpplab_components_connected", "gauge", "External components (XEP-0114) that are connected here.",
        lambda server: sum(each.is_connected for each in server.components.components.values()),
    ),
    Measure(
        "xmpplab_stanzas_bounced_total", "counter", "Stanzas that were answered with an error.",
        lambda server: server.routing.bounced,
    ),
)  # fmt: skip


def of(nodes: Collection[Watched]) -> Iterator[Metric]:
    """The metrics of the nodes of a process."""
    info = Metric("xmpplab_node", ABOUT_NODE, "info")
    for node in nodes:
        labels = {"node": node.name, "kind": node.kind, "version": version().split()[-1]}
        info.add_sample("xmpplab_node_info", labels, 1)
    yield info
    servers = [node.server for node in nodes if node.server is not None]
    for each in SERVER if servers else ():
        yield each.of(servers)


ABOUT_NODE = "1, with the name of the node, its kind, and the version of xmpplab."
PROCESS = {
    "xmpplab_node_info": ABOUT_NODE,
    "process_cpu_seconds_total": "CPU time of the process.",
    "process_resident_memory_bytes": "Its resident memory.",
    "process_virtual_memory_bytes": "Its address space.",
    "process_open_fds": "Its open files and sockets.",
    "process_max_fds": "How many it may open.",
    "process_start_time_seconds": "When it started, since the epoch.",
}
"""Of every process; those of the system on Linux only."""
