"""Addresses of hops, as commands choose among them."""

from __future__ import annotations


def is_of(wanted: str, address: str) -> bool:
    """Whether an address equals the wanted one, or is a resource or an account of it; any is of the empty one."""
    bare = address.partition("/")[0]
    return not wanted or wanted in (address, bare, bare.partition("@")[2] or bare)
