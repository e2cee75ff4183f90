"""A compose file as text that people read, and its style of YAML. Pure."""

from __future__ import annotations

import re
from typing import Any

import yaml

from cluster.lab.containers.compose import GRACE_S, IMAGE, Compose, Service

PART: dict[str, Any] = {
    "image": IMAGE,
    "init": True,
    "stdin_open": True,
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "restart": "unless-stopped",
    "stop_grace_period": f"{GRACE_S}s",
    "logging": {"driver": "json-file", "options": {"max-size": "8m", "max-file": "2"}},  # the same as in lab/logs.py
}
"""The settings that all nodes share. `stdin_open`: a node ends when its standard input does."""

_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
"""A number in YAML 1.2 (section 10.3.2), which the readers of these files speak; PyYAML knows fewer of them."""

_LINE = 100
"""Longer lists are written with one item per line."""

_ONCE: dict[str, Any] = {"image": IMAGE, "read_only": True, "tmpfs": ["/tmp"], "cap_drop": ["ALL"]}
"""For services that end when their work is done."""

_PREPARES = {"user": "0:0", "cap_add": ["CHOWN", "DAC_OVERRIDE"], "network_mode": "none"}
"""Volumes belong to root at first."""


def text(compose: Compose, head: str) -> str:
    """The file; `head` is a comment at its top."""
    part = {**PART, **({"user": compose.user} if compose.user else {})}
    document: dict[str, Any] = {
        "x-node": part,
        "services": {service.name: _service(compose, service, part) for service in compose.services},
        "networks": {
            name: {
                "name": compose.full(name),
                "labels": compose.labels(),
                **({"internal": True} if is_internal else {}),
            }
            for name, is_internal in compose.networks.items()
        },
    }
    if compose.volumes:
        document["volumes"] = {
            name: {"name": compose.full(name), "labels": compose.labels()} for name in compose.volumes
        }
    return written([document], head)


def written(documents: list[dict[str, Any]], head: str) -> str:
    """These services in one file; `head` is a comment at its top."""
    comments = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    return comments + yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def _service(compose: Compose, service: Service, part: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {MERGE: part} if service.is_node else {**_ONCE, **(_PREPARES if service.prepares else {})}
    shown |= {
        "container_name": compose.full(service.name),
        "hostname": service.name,
        "labels": compose.labels(service.name),
        "command": [_literal(word) for word in service.command],
    }
    if service.environment:
        shown["environment"] = {name: _literal(value) for name, value in service.environment.items()}
    if service.after:
        shown["depends_on"] = {name: {"condition": condition} for name, condition in service.after.items()}
    if service.networks:
        shown["networks"] = networks(service)
    if service.ports:
        shown["ports"] = list(service.ports)
    shown["volumes"] = list(service.volumes)
    return shown


def _literal(text: str) -> str:
    """Compose would put variables there."""
    return text.replace("$", "$$")


def networks(service: Service) -> dict[str, Any]:
    """The networks of a service, and its names there."""
    return {name: {"aliases": list(aliases)} if aliases else {} for name, aliases in service.networks.items()}


class _Merge(str):
    """The key `<<`, without quotes."""

    __slots__ = ()


MERGE = _Merge("<<")
"""Includes a mapping from another place."""


class _Dumper(yaml.SafeDumper):
    """Writes repeated values once, long texts as blocks, and short lists in a line."""

    def generate_anchor(self, node: yaml.Node) -> str:
        return "node"

    def ignore_aliases(self, data: Any) -> bool:
        return not (isinstance(data, dict) and "stdin_open" in data)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else "'" if _NUMBER.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[object]) -> yaml.Node:
    is_short = not any("\n" in str(each) for each in value) and sum(len(str(each)) + 4 for each in value) < _LINE
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(_Merge, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:merge", value))
