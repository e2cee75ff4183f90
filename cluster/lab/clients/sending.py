"""Sends one message from an account of the lab, and finds out whether it is returned."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from cluster.client.blocking import BlockingClient
from cluster.client.messenger import PING
from cluster.lab.answers import Sent
from cluster.lab.clients.login import log_in
from cluster.lab.control.ask import tell_all
from cluster.lab.control.requests import Follow
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan
from cluster.xmpp.element import Element, check_text
from cluster.xmpp.extensions.probe import SENDER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, error_of, make

PATIENCE_S = 10.0
"""A message that has not been returned by then may still be on its way."""
FOLLOWED_S = 2.0
"""For the login before the message; a server follows few addresses at a time."""
FOLLOW_TIMEOUT_S = 0.5
"""A server that does not answer within this does not follow the message."""
NETWORK_S = 2.0
"""For a foreign network to refuse what its gateway has accepted."""


def checked_text(text: str) -> str:
    """Raises BadInput for a text that a message cannot have."""
    if not text:
        raise BadInput("empty message; give a text")
    try:
        check_text(text)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return text


def send_message(folder: LabFolder, plan: Plan, sender: Jid, password: str, to: Jid, body: str) -> Sent:
    """Send a message, and wait until it is accepted or returned. Raises LabError.

    A ping of the receiver's account follows it. Stanzas between two addresses stay in order (RFC 6120 section 10.1), so
    a returned message arrives before the answer to the ping. A gateway answers before its network has accepted the
    message: a refusal may come NETWORK_S later.
    """
    text = Element(f"{{{CLIENT}}}body")
    text.text = body
    id, ping_id = secrets.token_hex(8), secrets.token_hex(8)
    message = make("message", to=to, id=id, type="chat", payload=[text])
    ping = make("iq", to=to.bare, id=ping_id, type="get", payload=[Element(f"{{{PING}}}ping")])
    deadline_s = time.monotonic() + PATIENCE_S
    is_behind_gateway = any(gateway.domain == to.domainpart for gateway in plan.gateways)
    is_taken = False
    _follow(folder, plan, (sender.domainpart, to.domainpart), id)
    client_jid = sender.with_resource(f"{SENDER}{secrets.token_hex(4)}") if sender.is_bare else sender
    with log_in(folder, plan, client_jid, password) as client:
        client.send(message.raw + ping.raw, PATIENCE_S)
        while (child := _next(client, deadline_s)) is not None:
            kind = child.attributes.get("type")
            if child.attributes.get("id") == id and kind == "error":
                error = error_of(Stanza("message", None, None, id, kind, (), child.raw))
                why = f"{error.condition} ({error.text})" if error.text else str(error.condition)
                return Sent(str(to), to.domainpart, is_taken=False, came_back=why)
            if child.attributes.get("id") == ping_id and kind in ("result", "error"):
                if not is_behind_gateway:
                    return Sent(str(to), to.domainpart, is_taken=True)
                is_taken, deadline_s = True, time.monotonic() + NETWORK_S
    return Sent(str(to), to.domainpart, is_taken)


def _follow(folder: LabFolder, plan: Plan, domains: Sequence[str], id: str) -> None:
    """Let the first server of ours on its way follow the message with this id: `xmpplab why` may be asked about it
    next. `domains`: of its sender and its receiver."""
    for domain in domains:
        if nodes := [server for server in plan.ours if server.domain == plan.served_by.get(domain, domain)]:
            tell_all(folder, plan, nodes, Follow(time.time() + FOLLOWED_S, id), FOLLOW_TIMEOUT_S)
            return


def _next(client: BlockingClient, deadline_s: float) -> Slice | None:
    """None if the time is over."""
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        return None
    try:
        child = client.receive(left_s)
    except TimeoutError:
        return None
    if child is None:
        raise LabError("the server ended the stream before it accepted the message; see `xmpplab logs`")
    return child
