"""The base of kinds of gateways: the class of their nodes in the plan."""

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
    """A gateway between its server and a foreign network. A kind is a subclass; its tag is its name."""

    name: str
    domain: str
    server: str
    """Name of the server that it is a component of."""
    secret: str
    network: str
    """Name of its foreign network."""
    host: str
    port: int
    """Port for connections of the network; 0 if only the gateway connects."""

    about: ClassVar[str]
    """A sentence for the reference."""
    keys: ClassVar[tuple[Key, ...]] = ()
    """Keys of its section of the topology, in addition to those of all gateways."""
    network_kind: ClassVar[str]
    """The kind of network that it needs."""
    usual_port: ClassVar[int] = 0
    """Its usual port; 0: it does not listen."""
    requests: ClassVar[Requests] = (Status,)
    """The requests of its operator: `administration` of its program has a coroutine method for each."""
    keeps_data: ClassVar[bool] = False
    """It has a folder with its name in the lab's; otherwise all of its data is in Redis."""

    @property
    def kind(self) -> str:
        """Its name in the topology."""
        return str(self.__struct_config__.tag)

    @property
    def speaks_for(self) -> str:
        """The name of its Redis user."""
        return self.domain

    @property
    def channel(self) -> str:
        """The name of its control channel."""
        return self.domain

    @property
    def ports(self) -> tuple[int, ...]:
        """Its ports, at `host`."""
        return (self.port,) if self.port else ()

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Its addresses."""
        return [(self.host, port) for port in self.ports]

    @classmethod
    def fields(cls, written: dict[str, Any], server_domain: str) -> dict[str, Any]:
        """The fields of the node, from the values of `keys`. `server_domain`: of its server."""
        return written

    @classmethod
    def findings(cls, name: str, section: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
        """The errors in a section, unparsed, besides its form. `domains`: name of the server, by domain."""
        return iter(())

    def program(self, environment: NodeEnvironment, server: ServerNode, network: NetworkNode) -> Program:
        """The program of its process; only this method imports it."""
        raise NotImplementedError

    def trouble(self, status: Mapping[str, Any], network: NetworkNode) -> str:
        """The problem that the status of a gateway reports; empty: none."""
        return ""
