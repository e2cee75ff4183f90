"""What a lab asks its servers as one of its accounts: rosters, archives, the rooms of a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cluster.client import archive, asking
from cluster.client.asking import RoomInfo, RosterContact
from cluster.client.blocking import BlockingClient
from cluster.lab.answers import Found, SearchResult
from cluster.lab.clients.accounts import known_accounts
from cluster.lab.clients.login import known_password, log_in
from cluster.lab.errors import BadInput, Down, LabError, Unreachable
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import StreamFailed

MAX_ACCOUNTS = 100
"""Whose archives one search reads."""


@contextmanager
def client_of(folder: LabFolder, plan: Plan, account: Jid, password: str | None) -> Iterator[BlockingClient]:
    """A client that is logged in and sends no presence, so that nobody sees it. Raises LabError."""
    with log_in(folder, plan, account.bare, known_password(folder, plan, account.bare, password)) as client:
        try:
            yield client
        except StreamFailed as error:
            raise LabError(f"{account.domainpart} refuses {account.bare}: {error}") from None
        except OSError as error:
            raise Unreachable(
                f"{account.domainpart} does not answer {account.bare}: {error}; see `xmpplab ps`"
            ) from None


def roster(folder: LabFolder, plan: Plan, account: Jid, password: str | None) -> list[RosterContact]:
    """The contacts of an account."""
    with client_of(folder, plan, account, password) as client:
        return asking.roster(client)


def change_roster(
    folder: LabFolder, plan: Plan, account: Jid, contact: Jid, password: str | None, *, is_on: bool
) -> None:
    """Put a contact on a roster, or remove it. Raises BadInput for the account itself."""
    if contact.bare == account.bare:
        raise BadInput(f"{account.bare} cannot be on its own roster; name another account")
    with client_of(folder, plan, account, password) as client:
        (asking.add_contact if is_on else asking.remove_contact)(client, contact)


def search(
    folder: LabFolder, plan: Plan, text: str, account: Jid | None, password: str | None, count: int
) -> SearchResult:
    """The newest messages with this text in the archive of an account; None: of all whose passwords are known.

    A domain that does not answer is asked once. Raises LabError where no archive could be read.
    """
    if not text.strip():
        raise BadInput("empty text; give a part of a message or of an address")
    if account is not None:
        with client_of(folder, plan, account, password) as client:
            return SearchResult(_found(client, text, count), [])
    found: list[Found] = []
    left_out: list[str] = []
    silent: set[str] = set()
    refusal: LabError | None = None
    known = known_accounts(folder, plan)
    for number, (jid, secret, server) in enumerate(known):
        if secret is None or number >= MAX_ACCOUNTS or server.domain in silent:
            left_out.append(jid)
            continue
        try:
            with client_of(folder, plan, Jid.parse(jid), secret) as client:
                found += _found(client, text, count)
        except Down:
            raise
        except LabError as error:
            left_out.append(jid)
            refusal = error
            if isinstance(error, Unreachable):  # its other accounts would each wait as long
                silent.add(server.domain)
    if refusal is not None and len(left_out) == len(known):
        raise refusal
    return SearchResult(sorted(found, key=lambda each: each.message.at_utc)[-count:], left_out)


def _found(client: BlockingClient, text: str, count: int) -> list[Found]:
    return [Found(str(client.jid.bare), each) for each in archive.search(client, text, count)]


def rooms(folder: LabFolder, plan: Plan) -> list[RoomInfo]:
    """The public rooms of all room services, as far as they answer an account of the lab."""
    services = [service.domain for server in plan.ours for service in server.services if service.kind == "rooms"]
    seeds = [
        (Jid.parse(f"{seed.localpart}@{server.domain}"), seed.password)
        for server in plan.ours
        for seed in server.accounts
    ]
    if not services or not seeds:
        return []
    found: list[RoomInfo] = []
    with client_of(folder, plan, *seeds[0]) as client:
        for service in dict.fromkeys(services):
            with suppress(StreamFailed, TimeoutError):
                found += asking.rooms(client, Jid.parse(service))
    return found
