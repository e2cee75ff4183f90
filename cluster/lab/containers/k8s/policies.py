"""Who may speak to whom in a lab on Kubernetes: its NetworkPolicies. Pure.

Policies add up, and what none of them allows is refused. Servers speak through Redis, so they reach each other only
where the topology joins them by XML streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from cluster.lab.containers.compose import outer_ports
from cluster.lab.containers.health import PORT, REDIS_PORT
from cluster.lab.containers.k8s.labels import INSTANCE, NAME, chosen
from cluster.redisio.url import RedisUrl
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, ServerNode

DNS_PORT = 53
Rule = dict[str, Any]
ANYWHERE: Rule = {}


def common(plan: Plan) -> dict[str, Any]:
    """Of all pods: they ask DNS and Redis, and any pod of the cluster may read their metrics.

    Probes come from the pod's own machine, from which traffic is always allowed.
    """
    dns = {"ports": [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")]}
    scraped = {"from": [{"namespaceSelector": {}}], "ports": _tcp([PORT])}
    return _policy(NAME, [scraped], [dns, *_to_redis(RedisUrl.parse(plan.redis_url))])


def own(node: ServerNode | GatewayNode | NetworkNode, plan: Plan) -> dict[str, Any]:
    """Of the pods of a part, whose first node this is, in addition to the common one."""
    if isinstance(node, ServerNode):
        return _of_server(node, plan)
    return _of_gateway(node, plan) if isinstance(node, GatewayNode) else _of_network(node, plan)


def _of_server(node: ServerNode, plan: Plan) -> dict[str, Any]:
    gateways = [each.name for each in plan.gateways if each.server == node.name]
    serving = {domain: each for each in plan.servers if not each.node_of for domain in each.domains}
    ports: dict[str, set[int]] = {}
    for peer in node.s2s_peers:
        ports.setdefault(serving[peer.domain].name, set()).add(peer.port)
    callers = [
        each.name
        for each in plan.servers
        if not each.node_of and any(serving[peer.domain].name == node.name for peer in each.s2s_peers)
    ]
    entering = [{"ports": _tcp(outer_ports(plan, node))}]
    if gateways:
        entering.append({"from": [_pods(gateways)], "ports": _tcp([node.component_port])})
    if callers:
        entering.append({"from": [_pods(callers)], "ports": _tcp(node.s2s_ports)})
    leaving = [{"to": [_pods([name])], "ports": _tcp(sorted(found))} for name, found in sorted(ports.items())]
    return _policy(chosen(node.name), entering, [ANYWHERE] if node.asks_outside else leaving)


def _of_gateway(node: GatewayNode, plan: Plan) -> dict[str, Any]:
    network, server = plan.network(node.network), plan.server_named(node.server)
    entering = [{"from": [_pods([network.name])], "ports": _tcp(node.ports)}] if node.ports else []
    if node.ports and network.is_external:
        entering = [{"ports": _tcp(node.ports)}]
    to_network = _to(network.host, [network.port])
    if not network.is_external:
        to_network = {"to": [_pods([network.name])], "ports": _tcp([network.port])}
    to_server = {"to": [_pods([server.name])], "ports": _tcp([server.component_port])}
    return _policy(chosen(node.name), entering, [to_server, to_network])


def _of_network(node: NetworkNode, plan: Plan) -> dict[str, Any]:
    gateways = [each for each in plan.gateways if each.network == node.name]
    entering = [{"from": [_pods([each.name for each in gateways])], "ports": _tcp(node.ports)}] if gateways else []
    leaving = [{"to": [_pods([each.name])], "ports": _tcp(each.ports)} for each in gateways if each.ports]
    return _policy(chosen(node.name), entering, leaving)


def _to_redis(url: RedisUrl) -> Iterable[Rule]:
    """A cluster and Sentinels tell the addresses of masters themselves: there only the ports are known, with Sentinels
    that which Redis usually has."""
    if url.is_cluster:
        return [{"ports": _tcp(sorted({port for _, port in url.addresses}))}]
    if url.service:
        return [*(_to(host, [port]) for host, port in url.addresses), {"ports": _tcp([REDIS_PORT])}]
    return [_to(host, [port]) for host, port in url.addresses]


def _to(host: str, ports: Sequence[int]) -> Rule:
    """Policies know addresses, not names: for a name only its ports are known."""
    try:
        address = ip_address(host)
    except ValueError:
        return {"ports": _tcp(ports)}
    return {"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}], "ports": _tcp(ports)}


def _pods(parts: Sequence[str]) -> dict[str, Any]:
    """The pods of these parts, in the namespace of the lab."""
    if len(parts) == 1:
        return {"podSelector": {"matchLabels": chosen(parts[0])}}
    among = [{"key": INSTANCE, "operator": "In", "values": list(parts)}]
    return {"podSelector": {"matchLabels": NAME, "matchExpressions": among}}


def _tcp(ports: Iterable[int]) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _policy(labels: dict[str, str], entering: list[Rule], leaving: list[Rule]) -> dict[str, Any]:
    return {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": entering,
        "egress": leaving,
    }
