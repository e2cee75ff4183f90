"""Logins of a run's sessions, and the accounts that are added for bystanders."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from secrets import token_hex

from cluster.client.blocking import BlockingClient
from cluster.client.managed import BROKEN, ManagedClient
from cluster.lab.clients.login import password_of
from cluster.lab.clients.names import our_server
from cluster.lab.control.ask import ask
from cluster.lab.control.requests import UserAdd, UserDel
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.lab.verify.witness import CARBONS
from cluster.topology.plan import Plan
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.login import Resumption

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.05


def logged_in(
    stack: ExitStack, connect: Callable[[Resumption | None], BlockingClient], jid: Jid, greeting: Sequence[Stanza]
) -> ManagedClient:
    """A client that `stack` closes; one with a presence in its greeting is available. Raises LabError."""
    try:
        client = ManagedClient(connect, greeting, time.monotonic)
    except BROKEN as error:
        raise LabError(f"{jid} cannot log in: {error}; see `xmpplab ps`") from None
    stack.callback(client.close)
    if any(each.kind == "presence" for each in greeting):
        _await_presence(client, jid)
    return client


def available(priority: int, *, carbons: bool = False) -> list[Stanza]:
    """The first stanza of a session."""
    level = Element(f"{{{CLIENT}}}priority")
    level.text = str(priority)
    enable = make("iq", id=f"carbons-{token_hex(4)}", type="set", payload=[Element(f"{{{CARBONS}}}enable")])
    return [*([enable] if carbons else []), make("presence", payload=[level])]


def password(plan: Plan, jid: Jid) -> str:
    """The password of an account of the topology. Raises BadInput for other addresses."""
    found = password_of(plan, jid)
    if found is None:
        raise BadInput(f"{jid.bare} is not an account of lab {plan.name}; see `accounts` of the topology")
    return found


def added_account(folder: LabFolder, plan: Plan, domain: str, stack: ExitStack) -> tuple[Jid, str]:
    """A new account that is nobody's contact, and its password; `stack` removes it. Raises LabError."""
    server = our_server(plan, domain)
    localpart, secret = f"verify-{token_hex(4)}", token_hex(16)
    ask(folder, plan, server, UserAdd(localpart, secret))

    def remove() -> None:
        with suppress(LabError):  # its server is down: `xmpplab user ls` shows what is left
            ask(folder, plan, server, UserDel(localpart))

    stack.callback(remove)
    return Jid(localpart, domain), secret


def _await_presence(client: ManagedClient, jid: Jid) -> None:
    """Wait until its own presence returns (RFC 6121 section 4.2.2): from then on messages to the account reach it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        child = client.receive(LOOK_EVERY_S)
        if child is not None and child.name == f"{CLIENT} presence" and child.attributes.get("from") == str(jid):
            return
    raise LabError(f"{jid} did not receive its own presence within {PATIENCE_S:g} s; see `xmpplab logs`")
