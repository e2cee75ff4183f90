# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""The accounts of users in several processes: the master has the list, and gives them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from gevent import Timeout
from gevent.event import AsyncResult
from locust.runners import MasterRunner, WorkerRunner

from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.accounts import Account, Listed, NoAccount
from loadtests.lab import Server

WANTED, GIVEN = "xmpplab-account-wanted", "xmpplab-account"
"""A worker asks the master for an account in a domain; its answer, and the way back."""
ANSWER_TIMEOUT_S = 20.0
"""A master on a busy machine answers within this, or not at all."""


class OfMaster:
    """On a worker: the accounts that are listed at the master."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._asked: deque[AsyncResult[dict[str, Any]]] = deque()
        runner.register_message(GIVEN, self._on_given)

    def take(self, server: Server) -> Account:
        """Ask, and wait for the answer."""
        answer: AsyncResult[dict[str, Any]] = AsyncResult()
        self._asked.append(answer)
        self._runner.send_message(WANTED, {"domain": server.domain})
        with Timeout(ANSWER_TIMEOUT_S, NoAccount("the master gave no account")):
            given = answer.get()
        if "error" in given:
            raise NoAccount(given["error"])
        return Account(Jid.parse(given["jid"]), given["password"], given["is_new"])

    def give_back(self, login: Login) -> None:
        """To the master."""
        if not login.register:
            self._runner.send_message(GIVEN, {"jid": str(login.jid.bare), "password": login.password})

    def _on_given(self, msg: Any, **_: Any) -> None:
        self._asked.popleft().set(msg.data)  # answers come in the order of the questions


def serve(runner: MasterRunner, accounts: Listed, servers: Iterable[Server]) -> None:
    """On the master: give accounts to the workers."""
    of_domain = {server.domain: server for server in servers}

    def on_wanted(msg: Any, **_: Any) -> None:
        try:
            account = accounts.take(of_domain[msg.data["domain"]])
        except (NoAccount, KeyError) as error:
            answer: dict[str, Any] = {"error": str(error)}
        else:
            answer = {"jid": str(account.jid), "password": account.password, "is_new": account.is_new}
        runner.send_message(GIVEN, answer, msg.node_id)

    def on_back(msg: Any, **_: Any) -> None:
        accounts.give_back(Login(Jid.parse(msg.data["jid"]), msg.data["password"]))

    runner.register_message(WANTED, on_wanted)
    runner.register_message(GIVEN, on_back)
