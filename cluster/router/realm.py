"""The domainparts that belong to a domain."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NO_COMPONENTS: Mapping[str, str] = MappingProxyType({})
"""A network without components."""


def realm(domain: str, served_by: Mapping[str, str]) -> frozenset[str]:
    """The domainparts for which a domain may speak: its own, and its components' (RFC 6120 section 10.5).

    `served_by`: for each component of the network, the domain of its server. No other subdomain belongs to it: that may
    be the domain of another server.
    """
    return frozenset((domain, *(component for component, server in served_by.items() if server == domain)))
