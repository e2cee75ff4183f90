"""The running lab of a load test, from its state folder: the addresses of its servers, and its CA."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from cluster.xmpp.extensions.escaping import escape
from cluster.xmpp.jid import Jid

LABS = ".xmpplab"
"""Under the current folder: one state folder for each lab."""

ANSWER_TIMEOUT_S = 5.0
"""A server on this host that accepts no connection within this never will."""


FarKind = Literal["sms", "mail"]
"""The kind of users behind a gateway."""
_PEOPLE: dict[FarKind, tuple[str, str]] = {"sms": ("phone", "phones"), "mail": ("mailbox", "mailboxes")}


class LabUnusable(Exception):
    """No load can be put on the lab; the message names the remedy."""


class _Service(msgspec.Struct, frozen=True):
    kind: str
    domain: str


class Server(msgspec.Struct, frozen=True):
    """One server of the lab, as `plan.json` describes it."""

    name: str
    domain: str
    host: str
    c2s_port: int
    tls: Literal["required", "optional", "off"]
    registration: bool
    services: tuple[_Service, ...] = ()
    ca_file: str | None = None
    """The CA that clients trust, PEM; None: those that the system trusts, or the server has no TLS."""
    is_outside: bool = False
    """It is no server of the lab."""


class _Gateway(msgspec.Struct, frozen=True):
    kind: str
    domain: str
    network: str


class _Network(msgspec.Struct, frozen=True):
    name: str
    phones: dict[str, str] = {}
    mailboxes: dict[str, str] = {}


class _Plan(msgspec.Struct, frozen=True):
    name: str
    topology: str
    servers: tuple[Server, ...]
    gateways: tuple[_Gateway, ...] = ()
    networks: tuple[_Network, ...] = ()

    def behind(self, kind: FarKind) -> tuple[Jid, ...]:
        """The XMPP addresses of all users behind the gateways of this kind."""
        networks = {network.name: network for network in self.networks}
        return tuple(
            Jid(escape(address), gateway.domain)
            for gateway in self.gateways
            if gateway.kind == kind
            for address in {**networks[gateway.network].phones, **networks[gateway.network].mailboxes}.values()
        )


@dataclass(frozen=True)
class RunningLab:
    """What load users need from a lab."""

    name: str
    topology: str
    """The file of its topology; empty if there is no lab, only other servers."""
    servers: tuple[Server, ...]
    far: Mapping[FarKind, tuple[Jid, ...]] = field(default_factory=dict)
    """Addresses of its phones, behind its SMS gateways, and of its mailboxes, behind its mail gateways."""

    @property
    def rooms(self) -> tuple[str, ...]:
        """The domains at which it has rooms."""
        return tuple(each.domain for server in self.servers for each in server.services if each.kind == "rooms")

    def check_rooms(self) -> None:
        """Raises LabUnusable if it has no rooms."""
        if not self.topology:
            raise LabUnusable("rooms are only found in a lab; choose another load, or run it in a lab that has rooms")
        if not self.rooms:
            server = self.servers[0]
            raise LabUnusable(
                f"lab {self.name} has no rooms; `xmpplab up rooms -d` brings a lab up that has; or give a server of "
                f"{self.topology} such as {server.name} the key `rooms: conference.{server.domain}`, then "
                f"`xmpplab down` and `xmpplab up {self.topology} -d`"
            )

    def check(self, has_accounts: Callable[[str], bool]) -> None:
        """Raises LabUnusable if users cannot register or connect, once instead of once for every user.

        `has_accounts`: whether users need not register in a domain, since there are accounts for them.
        """
        inside = [server for server in self.servers if not server.is_outside]
        if closed := [server for server in inside if not server.registration and not has_accounts(server.domain)]:
            raise LabUnusable(
                f"load users register accounts of their own, and {', '.join(server.name for server in closed)} of lab "
                f"{self.name} take{'s' * (len(closed) == 1)} none; set `registration: open` under `defaults` in "
                f"{self.topology}, then `xmpplab down` and `xmpplab up {self.topology} -d`; "
                f"or leave {'it' if len(closed) == 1 else 'them'} out: `--target` names the domains to load"
            )
        for server in inside:
            try:
                socket.create_connection((server.host, server.c2s_port), ANSWER_TIMEOUT_S).close()
            except OSError as error:
                raise LabUnusable(
                    f"{server.name} of lab {self.name} does not answer at {server.host}:{server.c2s_port} ({error}); "
                    f"bring it up with `xmpplab up {self.topology} -d`"
                ) from None

    def check_far(self, kind: FarKind) -> None:
        """Raises LabUnusable if there is nobody to write to by SMS, or by mail."""
        if not self.far.get(kind):
            if not self.topology:
                raise LabUnusable("phones and mailboxes are only found in a lab")
            who, network = _PEOPLE[kind]
            raise LabUnusable(
                f"no {who} is behind a gateway of kind {kind} of lab {self.name}; give {self.topology} such a gateway "
                f"and a network with {network}, as the topology `gateways` has them, "
                f"then `xmpplab down` and `xmpplab up {self.topology} -d`"
            )


def find(environment: Mapping[str, str], folder: Path) -> RunningLab:
    """The lab whose state folder XMPPLAB_STATE names, or the only one under `folder`. Raises LabUnusable."""
    state = Path(environment["XMPPLAB_STATE"]) if environment.get("XMPPLAB_STATE") else _only_state(folder)
    try:
        plan = msgspec.json.decode((state / "plan.json").read_bytes(), type=_Plan)
    except OSError:
        raise LabUnusable(f"no lab in {state}; bring one up with `xmpplab up FILE -d`") from None
    except msgspec.DecodeError as error:
        raise LabUnusable(f"{state / 'plan.json'} is damaged ({error}); `xmpplab down`, then `up`") from None
    ca_file = str(state / "ca.pem")
    servers = tuple(
        msgspec.structs.replace(server, ca_file=None if server.tls == "off" else ca_file) for server in plan.servers
    )
    return RunningLab(plan.name, plan.topology, servers, {kind: plan.behind(kind) for kind in _PEOPLE})


def _only_state(folder: Path) -> Path:
    states = sorted(plan.parent for plan in (folder / LABS).glob("*/plan.json"))
    if not states:
        raise LabUnusable(
            f"no lab in {folder / LABS}; bring one up with `xmpplab up FILE -d`, go to its folder, "
            "or set XMPPLAB_STATE to its state folder"
        )
    if len(states) > 1:
        names = ", ".join(state.name for state in states)
        raise LabUnusable(f"several labs in {folder / LABS} ({names}); set XMPPLAB_STATE to the state folder of one")
    return states[0]
