"""Extensions of the server: one XEP, one file, and this folder is the registry. Deleting a file removes a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.host.module import Module
from cluster.host.registry import Registry

if TYPE_CHECKING:  # commands that only read plans start fast
    from cluster.server.context import ServerModule

ON_REQUEST = frozenset({"legacy_auth"})
"""Modules that are loaded only if a topology names them."""
_registry: Registry[ServerModule] = Registry(__name__, __path__, Module, "module")
names = _registry.names
load = _registry.load


def defaults() -> tuple[str, ...]:
    """The modules that are loaded if a topology names none, sorted."""
    return tuple(name for name in names() if name not in ON_REQUEST)
