"""What a kind of services is: what the lab knows of a service that lives in a server."""

from __future__ import annotations

from typing import NamedTuple

from cluster.kinds.base.key import Key


class ServiceKind(NamedTuple):
    """One kind of services; cluster/services has what runs, under the same name."""

    name: str
    """The key of a server's section that gives it one."""
    about: str
    """A sentence for the reference: what it is."""
    usual_label: str
    """What such a domain often begins with: `conference`."""
    keys: tuple[Key, ...] = ()
    """What its section has beside `domain`; they are the settings of the service."""
