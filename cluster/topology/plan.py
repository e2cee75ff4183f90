"""A Plan: the topology resolved, every default, address and peer filled in. Drivers and nodes read only this."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

TlsMode = Literal["required", "optional", "off"]


class ContactSeed(msgspec.Struct, frozen=True):
    """A contact that an account starts with: subscribed both ways (RFC 6121 section 3)."""

    jid: str
    name: str = ""
    groups: tuple[str, ...] = ()


class AccountSeed(msgspec.Struct, frozen=True):
    """An account that exists from the start."""

    localpart: str
    password: str
    contacts: tuple[ContactSeed, ...] = ()


class ServerNode(msgspec.Struct, frozen=True):
    """One XMPP server of the lab."""

    name: str
    domain: str
    host: str
    """Loopback address of its own, so that every domain has the standard ports."""
    c2s_port: int
    tls: TlsMode
    registration: bool
    """In-band registration (XEP-0077) is open."""
    modules: tuple[str, ...]
    """Files of cluster/modules to load."""
    accounts: tuple[AccountSeed, ...]

    @property
    def c2s(self) -> str:
        """What a client types: `127.x.y.z:5222`."""
        return f"{self.host}:{self.c2s_port}"


class Plan(msgspec.Struct, frozen=True):
    """A whole lab, as it will run."""

    name: str
    topology: str
    """Path of the file that it was made from."""
    state_dir: str
    """Folder of the running lab: `.xmpplab/<name>`, absolute."""
    servers: tuple[ServerNode, ...]
    sample_every: int = 1000
    """One stanza in so many is followed without being asked; 0: none."""
    redis_url: str = ""
    """An existing Redis or Valkey; empty: the lab starts its own."""
    max_backlog: int = 100_000
    """Batches that may wait on one link before its senders get remote-server-timeout."""

    def save(self, path: Path) -> None:
        """Write it, for the nodes and commands to come."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)))

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read what `save` wrote. Raises FileNotFoundError where no lab was brought up."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def server(self, name_or_domain: str) -> ServerNode | None:
        """The server of this name (`s1`) or domain."""
        return next((s for s in self.servers if name_or_domain in (s.name, s.domain)), None)
