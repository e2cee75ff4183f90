"""The load users of one process: their accounts, and their partners."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from random import Random

from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.lab import RunningLab, Server
from loadtests.ledger import Ledger


class Crowd:
    """Spread evenly over the domains of the lab. Knows the users of its own process only."""

    def __init__(self, lab: RunningLab, run_id: str, password: str, rng: Random) -> None:
        """`run_id` tells the accounts of this process from all others; they share the password."""
        self.lab = lab
        self.ledger = Ledger()
        self.rng = rng
        self.run_id = run_id
        self._password = password
        self._numbers = count()
        self._message_numbers = count()
        self._present: defaultdict[str, list[Jid]] = defaultdict(list)

    def next_account(self) -> tuple[Server, Login]:
        """A new account, to be registered on the server that comes with it."""
        number = next(self._numbers)
        server = self.lab.servers[number % len(self.lab.servers)]
        jid = Jid.parse(f"load-{number}-{self.run_id}@{server.domain}/locust")
        return server, Login(jid, self._password, register=True)

    def next_message_id(self) -> str:
        """Not used before in this process."""
        return f"load-{next(self._message_numbers)}"

    def enter(self, jid: Jid) -> None:
        """From now on others may write to this user."""
        self._present[jid.domainpart].append(jid)

    def leave(self, jid: Jid) -> None:
        """Nobody starts to write to this user any more. It may have left already."""
        if jid in self._present[jid.domainpart]:
            self._present[jid.domainpart].remove(jid)

    def partner(self, of: Jid, cross_share: float) -> Jid | None:
        """A user to write to: with this probability in another domain, if there is a choice; None if there is no other
        user."""
        local = [jid for jid in self._present[of.domainpart] if jid != of]
        others = [domain for domain, jids in self._present.items() if jids and domain != of.domainpart]
        if others and (not local or self.rng.random() < cross_share):
            return self.rng.choice(self._present[self.rng.choice(others)])
        return self.rng.choice(local) if local else None
