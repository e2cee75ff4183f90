"""What NetworkPolicies allow, as Kubernetes reads them (https://kubernetes.io/docs/concepts/services-networking/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Labels = Mapping[str, str]


class Network:
    """A namespace with these policies."""

    def __init__(self, policies: Sequence[Mapping[str, Any]], pods: Mapping[str, Labels]) -> None:
        """`pods`: the labels of each, by name."""
        self._specs = [each["spec"] for each in policies]
        self._pods = pods

    def may(self, from_: str, to: str, port: int) -> bool:
        """Whether a pod of the namespace may connect to another one."""
        return self._is_open("Egress", from_, to, port) and self._is_open("Ingress", to, from_, port)

    def may_enter(self, to: str, port: int) -> bool:
        """Whether somebody outside of the cluster may connect to a pod."""
        return self._is_open("Ingress", to, None, port)

    def may_leave(self, from_: str, address: str, port: int) -> bool:
        """Whether a pod may connect to an address outside of the cluster."""
        return self._is_open("Egress", from_, None, port, address)

    def _is_open(self, way: str, pod: str, other: str | None, port: int, address: str = "") -> bool:
        mine = [each for each in self._specs if _selects(each["podSelector"], self._pods[pod])]
        about = [each for each in mine if way in each["policyTypes"]]
        rules = [rule for each in about for rule in each[way.lower()]]
        return not about or any(self._allows(rule, way, other, port, address) for rule in rules)

    def _allows(self, rule: Mapping[str, Any], way: str, other: str | None, port: int, address: str) -> bool:
        if "ports" in rule and port not in [each["port"] for each in rule["ports"]]:
            return False
        peers = rule.get("from" if way == "Ingress" else "to")
        return peers is None or any(self._is_peer(each, other, address) for each in peers)

    def _is_peer(self, peer: Mapping[str, Any], other: str | None, address: str) -> bool:
        if "ipBlock" in peer:
            return bool(peer["ipBlock"]["cidr"] == f"{address}/32")
        if other is None:
            return False
        return "podSelector" not in peer or _selects(peer["podSelector"], self._pods[other])


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ()))
