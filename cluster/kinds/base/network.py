"""What a kind of foreign networks is: the class of its nodes in the plan."""

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
    """A foreign network. A kind is a subclass; its tag is what it is called."""

    name: str
    host: str
    port: int
    """Where it speaks its protocol."""
    is_external: bool = False
    """A real system, which the lab does not run."""
    user: str = ""
    """Whom gateways log in as, where it is a real one."""
    password: str = ""
    starttls: bool = False

    about: ClassVar[str]
    """A sentence for the reference: what it is."""
    keys: ClassVar[tuple[Key, ...]] = ()
    """What its section of the topology has beside the keys of all networks."""
    people_key: ClassVar[str] = ""
    """The one of `keys` that has the addresses of its people by their names; empty: it has no people."""
    person: ClassVar[str] = ""
    """What one of them is called: `phone`."""
    usual_port: ClassVar[int]
    """Where it listens."""
    refusal: ClassVar[str] = ""
    """What it can be told to answer to each message, as an example for `xmpplab network set --refuse`."""
    command: ClassVar[Command | None] = None
    """`xmpplab phone`: to be one of its people."""
    requests: ClassVar[Requests] = (Status, *FAULTS)
    """What its operator may ask: `administration` of its program has a coroutine method for each."""
    keeps_data: ClassVar[bool] = True
    """It has a folder with its name in the lab's."""

    @property
    def kind(self) -> str:
        """What it is called in the topology."""
        return str(self.__struct_config__.tag)

    @property
    def speaks_for(self) -> str:
        """By what its Redis user is known."""
        return self.name

    @property
    def channel(self) -> str:
        """By what its control channel is known."""
        return self.name

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens, at `host`, if the lab runs it."""
        return (self.port,)

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Its addresses on this machine."""
        return [] if self.is_external else [(self.host, self.port)]

    @property
    def people(self) -> dict[str, str]:
        """Addresses of its people by their names in the lab."""
        return dict(getattr(self, self.people_key)) if self.people_key else {}

    @classmethod
    def findings(
        cls, name: str, section: Mapping[str, Any], gateways: Sections, domains: Mapping[str, str]
    ) -> Iterator[Finding]:
        """What is wrong with a section, beside its form; all are raw, as the file has them.

        `gateways`: those that lead to it. `domains`: name of the server, by domain.
        """
        return iter(())

    def program(self, around: NodeEnvironment, gateways: Sequence[GatewayNode]) -> Program:
        """What its process runs, `gateways` being those that lead to it; only this imports it."""
        raise NotImplementedError

    def person_at(self, ask: Ask, address: str) -> Person:
        """One of its people; only this imports it."""
        raise NotImplementedError
