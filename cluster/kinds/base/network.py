"""The base of kinds of foreign networks: the class of their nodes in the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from cluster.base.request import Requests, Status
from cluster.kinds.base.command import Command
from cluster.kinds.base.finding import Finding, Sections
from cluster.kinds.base.key import Key
from cluster.networks.requests import FAULTS

if TYPE_CHECKING:
    from cluster.components.program import NodeEnvironment, Program
    from cluster.kinds.base.gateway import GatewayNode
    from cluster.networks.person import Ask, Person


class NetworkNode(msgspec.Struct, frozen=True):
    """A foreign network. A kind is a subclass; its tag is its name."""

    name: str
    host: str
    port: int
    """The port of its protocol."""
    is_external: bool = False
    """A real system, which the lab does not run."""
    user: str = ""
    """The account of gateways at a real network."""
    password: str = ""
    starttls: bool = False

    about: ClassVar[str]
    """A sentence for the reference."""
    keys: ClassVar[tuple[Key, ...]] = ()
    """Keys of its section of the topology, in addition to those of all networks."""
    people_key: ClassVar[str] = ""
    """The key with the addresses of its users by their names; empty: it has no users."""
    person: ClassVar[str] = ""
    """The word for one of its users: `phone`."""
    usual_port: ClassVar[int]
    """Its usual port."""
    refusal: ClassVar[str] = ""
    """An example of an answer to each message, for `xmpplab network set --refuse`."""
    command: ClassVar[Command | None] = None
    """`xmpplab phone`: act as one of its users."""
    requests: ClassVar[Requests] = (Status, *FAULTS)
    """The requests of its operator: `administration` of its program has a coroutine method for each."""
    keeps_data: ClassVar[bool] = True
    """It has a folder with its name in the lab's."""

    @property
    def kind(self) -> str:
        """Its name in the topology."""
        return str(self.__struct_config__.tag)

    @property
    def speaks_for(self) -> str:
        """The name of its Redis user."""
        return self.name

    @property
    def channel(self) -> str:
        """The name of its control channel."""
        return self.name

    @property
    def ports(self) -> tuple[int, ...]:
        """Its ports, at `host`, if the lab runs it."""
        return (self.port,)

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Its addresses on this machine."""
        return [] if self.is_external else [(self.host, self.port)]

    @property
    def people(self) -> dict[str, str]:
        """Addresses of its users by their names in the lab."""
        return dict(getattr(self, self.people_key)) if self.people_key else {}

    @classmethod
    def findings(
        cls, name: str, section: Mapping[str, Any], gateways: Sections, domains: Mapping[str, str]
    ) -> Iterator[Finding]:
        """The errors in a section, besides its form; all arguments are unparsed.

        `gateways`: those that lead to it. `domains`: name of the server, by domain.
        """
        return iter(())

    def program(self, environment: NodeEnvironment, gateways: Sequence[GatewayNode]) -> Program:
        """The program of its process, with the gateways that lead to it; only this method imports it."""
        raise NotImplementedError

    def person_at(self, ask: Ask, address: str) -> Person:
        """One of its users; only this method imports it."""
        raise NotImplementedError
