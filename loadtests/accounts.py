"""The accounts of load users: listed in a file, or made by each user itself."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

from cluster.client.asking import ask
from cluster.client.blocking import BlockingClient
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import REGISTER
from cluster.xmpp.streams.login import Login, StreamFailed
from loadtests.lab import LabUnusable, Server


class NoAccount(Exception):
    """All listed accounts are in use."""


class Account(NamedTuple):
    """An account, and how to log in."""

    jid: Jid
    password: str
    is_new: bool = False
    """The user makes it by registering (XEP-0077)."""


class Accounts(Protocol):
    """Where the users of this process have their accounts from."""

    def take(self, server: Server) -> Account:
        """An account in the server's domain, or in another one if that has none left. Raises NoAccount."""

    def give_back(self, login: Login) -> None:
        """Its user has ended."""


class Listed:
    """Accounts that exist. In domains without any, users register."""

    def __init__(self, accounts: Iterable[Account], run_id: str, password: str) -> None:
        """`run_id` tells new accounts of this process from all others; they share the password."""
        self._free: defaultdict[str, deque[Account]] = defaultdict(deque)
        for account in accounts:
            self._free[account.jid.domainpart].append(account)
        self._domains = frozenset(self._free)
        self._run_id = run_id
        self._password = password
        self._numbers = count()

    def has(self, domain: str) -> bool:
        """Whether accounts of this domain are listed."""
        return domain in self._domains

    def take(self, server: Server) -> Account:
        """A listed account, or a new one."""
        if server.domain not in self._domains:
            return Account(Jid(f"load-{next(self._numbers)}-{self._run_id}", server.domain), self._password, True)
        for free in (self._free[server.domain], *self._free.values()):
            if free:
                return free.popleft()
        raise NoAccount("all accounts are in use; start with more of them (`--users`, `--accounts`)")

    def give_back(self, login: Login) -> None:
        """A new one is not used twice."""
        if not login.register:
            self._free[login.jid.domainpart].append(Account(login.jid.bare, login.password))


def read(file: Path) -> list[Account]:
    """The accounts of a file: a line `JID PASSWORD` each; empty lines and those that begin with # are comments.

    Raises LabUnusable with the remedy.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise LabUnusable(
            f"--accounts {file} cannot be read: {why}; name a file with a line JID PASSWORD each"
        ) from None
    return [_account(file, n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]


def _account(file: Path, number: int, line: str) -> Account:
    jid, _, password = line.strip().partition(" ")
    try:
        account = Account(Jid.parse(jid).bare, password.strip())
    except JidError as error:
        raise LabUnusable(f"--accounts {file}, line {number}: {error}") from None
    if not account.password or not account.jid.localpart:
        raise LabUnusable(
            f"--accounts {file}, line {number}: write an address and a password: `romeo@a.example secret`"
        )
    return account


def unregister(client: BlockingClient) -> bool:
    """Remove the client's account (XEP-0077 section 3.2), and wait for the answer. False if the server refuses."""
    query = Element(f"{{{REGISTER}}}query")
    SubElement(query, f"{{{REGISTER}}}remove")
    try:
        ask(client, "set", query)
    except StreamFailed as error:  # the stream may end before the answer
        return error.condition in ("closed", "not-authorized")
    return True
