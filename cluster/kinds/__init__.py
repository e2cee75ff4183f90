"""The kinds of nodes of a lab: one kind, one file, and this folder is the registry.

A kind is the class of its nodes in the plan, with all that the lab knows of it: `kind = SmsGateway`. A service runs in
a server and is not a node; its file has `service = ServiceKind(…)`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # a module that needs only `base` does not wait for the kinds
    from cluster.kinds.base.gateway import GatewayNode
    from cluster.kinds.base.network import NetworkNode
    from cluster.kinds.base.server import ServerNode
    from cluster.kinds.base.service import ServiceKind

N = TypeVar("N", "ServerNode", "GatewayNode", "NetworkNode")


@cache
def known() -> dict[str, type[Any]]:
    """All kinds, by their names in the topology. Raises ValueError if two have one name."""
    found: dict[str, type[Any]] = {}
    for name, module in _files().items():
        kind = getattr(module, "kind", None)
        if kind is None:
            if not hasattr(module, "service"):
                raise ValueError(f"{name}.py declares nothing; write `kind = …` or `service = …` at its end")
            continue
        if found.setdefault(kind.__struct_config__.tag, kind) is not kind:
            raise ValueError(f"two kinds are called {kind.__struct_config__.tag!r}; one of them is in {name}.py")
    return found


@cache
def services() -> dict[str, ServiceKind]:
    """The kinds of services, by the keys of a server's section."""
    from cluster.kinds.base.service import ServiceKind

    found = [getattr(module, "service", None) for module in _files().values()]
    return {kind.name: kind for kind in found if isinstance(kind, ServiceKind)}


def _files() -> dict[str, ModuleType]:
    names = sorted(module.name for module in iter_modules(__path__) if not module.ispkg)
    return {name: import_module(f"{__name__}.{name}") for name in names}


def servers() -> dict[str, type[ServerNode]]:
    """The kinds of servers."""
    from cluster.kinds.base.server import ServerNode

    return _of(ServerNode)


def gateways() -> dict[str, type[GatewayNode]]:
    """The kinds of gateways."""
    from cluster.kinds.base.gateway import GatewayNode

    return _of(GatewayNode)


def networks() -> dict[str, type[NetworkNode]]:
    """The kinds of foreign networks."""
    from cluster.kinds.base.network import NetworkNode

    return _of(NetworkNode)


def _of(what: type[N]) -> dict[str, type[N]]:
    return {name: kind for name, kind in known().items() if issubclass(kind, what)}
