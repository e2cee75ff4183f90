"""Extensions of the server: one XEP, one file, and this folder is the registry. Deleting a file removes a feature."""

from __future__ import annotations

from cluster.host.module import Module
from cluster.host.registry import Registry
from cluster.server.context import ServerModule

_registry: Registry[ServerModule] = Registry(__name__, __path__, Module, "module")
names = _registry.names
load = _registry.load


def defaults() -> tuple[str, ...]:
    """The modules that are loaded if a topology names none, sorted."""
    return tuple(name for name, module in zip(names(), load(names()), strict=True) if module.by_default)
