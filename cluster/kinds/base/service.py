"""The base of kinds of services, which run in a server."""

from __future__ import annotations

from typing import NamedTuple

from cluster.kinds.base.key import Key


class ServiceKind(NamedTuple):
    """One kind of service; cluster/services has its code, under the same name."""

    name: str
    """The key of a server's section that gives it one."""
    about: str
    """A sentence for the reference."""
    usual_label: str
    """The usual first label of its domain: `conference`."""
    keys: tuple[Key, ...] = ()
    """Keys of its section in addition to `domain`; they are the settings of the service."""
