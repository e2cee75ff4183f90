"""Logins of a run's sessions: what each sends first, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

from cluster.lab.clients.login import password_of
from cluster.lab.errors import BadInput, LabError
from cluster.lab.verify.traffic import Client
from cluster.lab.verify.witness import CARBONS
from cluster.topology.plan import Plan
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, make

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.05


def available(priority: int, *, carbons: bool = False) -> list[Stanza]:
    """The first stanza of a session."""
    level = Element(f"{{{CLIENT}}}priority")
    level.text = str(priority)
    enable = make("iq", id="carbons", type="set", payload=[Element(f"{{{CARBONS}}}enable")])
    return [*([enable] if carbons else []), make("presence", payload=[level])]


def password(plan: Plan, jid: Jid) -> str:
    """The password of an account of the topology. Raises BadInput for other addresses."""
    found = password_of(plan, jid)
    if found is None:
        raise BadInput(f"{jid.bare} is not an account of lab {plan.name}; see `accounts` of the topology")
    return found


def await_presence(client: Client, seconds: Callable[[], float], jid: Jid) -> None:
    """Wait until its own presence returns (RFC 6121 section 4.2.2): from then on messages to the account reach it.

    Raises LabError.
    """
    if await_stanza(client, seconds, f"{CLIENT} presence", str(jid)) is None:
        raise LabError(f"{jid} did not receive its own presence within {PATIENCE_S:g} s; see `xmpplab logs`")


def await_stanza(client: Client, seconds: Callable[[], float], name: str, from_: str) -> Slice | None:
    """The next stanza of this name and sender, for which no other is kept; None if it takes longer than PATIENCE_S.

    `seconds`: a steady clock.
    """
    deadline_s = seconds() + PATIENCE_S
    while seconds() < deadline_s:
        child = client.receive(LOOK_EVERY_S)
        if child is not None and child.name == name and child.attributes.get("from") == from_:
            return child
    return None
