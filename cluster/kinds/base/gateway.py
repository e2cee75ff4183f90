"""What a kind of gateways is: the class of its nodes in the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from cluster.base.request import Requests, Status
from cluster.kinds.base.finding import Finding
from cluster.kinds.base.key import Key
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.server import ServerNode

if TYPE_CHECKING:
    from cluster.components.program import NodeEnvironment, Program


class GatewayNode(msgspec.Struct, frozen=True):
    """A gateway between its server and a foreign network. A kind is a subclass; its tag is what it is called."""

    name: str
    domain: str
    server: str
    """Name of the server that it is a component of."""
    secret: str
    network: str
    """Name of its foreign network."""
    host: str
    port: int
    """Where the network connects to it; 0 where only it connects."""

    about: ClassVar[str]
    """A sentence for the reference: what it is."""
    keys: ClassVar[tuple[Key, ...]] = ()
    """What its section of the topology has beside the keys of all gateways."""
    network_kind: ClassVar[str]
    """The kind of network that it needs."""
    usual_port: ClassVar[int] = 0
    """Where it listens; 0: it does not."""
    requests: ClassVar[Requests] = (Status,)
    """What its operator may ask: `administration` of its program has a coroutine method for each."""
    keeps_data: ClassVar[bool] = False
    """It has a folder with its name in the lab's; else all that it remembers is in Redis."""

    @property
    def kind(self) -> str:
        """What it is called in the topology."""
        return str(self.__struct_config__.tag)

    @property
    def speaks_for(self) -> str:
        """By what its Redis user is known."""
        return self.domain

    @property
    def channel(self) -> str:
        """By what its control channel is known."""
        return self.domain

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens, at `host`."""
        return (self.port,) if self.port else ()

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Its addresses."""
        return [(self.host, port) for port in self.ports]

    @classmethod
    def fields(cls, written: dict[str, Any], server_domain: str) -> dict[str, Any]:
        """The fields of the node, of what is written for `keys`. `server_domain`: of its server."""
        return written

    @classmethod
    def findings(cls, name: str, section: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
        """What is wrong with a section, raw as the file has it, beside its form.

        `domains`: name of the server, by domain.
        """
        return iter(())

    def program(self, around: NodeEnvironment, server: ServerNode, network: NetworkNode) -> Program:
        """What its process runs; only this imports it."""
        raise NotImplementedError

    def trouble(self, status: Mapping[str, Any], network: NetworkNode) -> str:
        """What does not work of a gateway that says this of itself; empty: nothing."""
        return ""
