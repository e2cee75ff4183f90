"""Services with addresses on a subdomain of a server; this folder is the registry, found by the names of its files."""

from __future__ import annotations

from cluster.host.registry import Registry
from cluster.server.services.service import Service

_registry = Registry(__name__, __path__, Service, "service")
names = _registry.names
load = _registry.load
