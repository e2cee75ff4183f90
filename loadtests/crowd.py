"""The load users of one process: their accounts, and their partners."""

from __future__ import annotations

import logging
from collections import defaultdict
from itertools import count
from random import Random
from typing import NamedTuple

import gevent

from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.accounts import Accounts
from loadtests.bag import Bag
from loadtests.connection import Connection
from loadtests.lab import RunningLab, Server
from loadtests.ledger import Ledger

RESTS_AFTER_S = 5.0
"""A connection on which nothing has come for so long, up to twice that, needs less memory."""

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """What a user has from its start to its end."""

    number: int
    """Of the users of its class in this process, from 0."""
    server: Server
    login: Login


class Circle:
    """The users of one class, spread evenly over the servers; they write to each other only."""

    def __init__(self, lab: RunningLab, accounts: Accounts, rng: Random) -> None:
        self._lab = lab
        self._accounts = accounts
        self._rng = rng
        self._numbers = count()
        self._present: defaultdict[str, Bag[Jid]] = defaultdict(Bag)
        self._domains: Bag[str] = Bag()
        """Those in which somebody is present."""

    def take_place(self) -> Place:
        """An account, which no other user has. Raises NoAccount."""
        number = next(self._numbers)
        server = self._lab.servers[number % len(self._lab.servers)]
        account = self._accounts.take(server)
        domain = account.jid.domainpart
        if domain != server.domain:
            server = next(each for each in self._lab.servers if each.domain == domain)
        return Place(number, server, Login(account.jid.with_resource("locust"), account.password, account.is_new))

    def give_back(self, place: Place) -> None:
        """The user has ended."""
        self._accounts.give_back(place.login)

    def enter(self, jid: Jid) -> None:
        """From now on others may write to this user."""
        self._present[jid.domainpart].add(jid)
        self._domains.add(jid.domainpart)

    def leave(self, jid: Jid) -> None:
        """Nobody starts to write to this user any more. It may have left already."""
        present = self._present[jid.domainpart]
        present.discard(jid)
        if not present:
            self._domains.discard(jid.domainpart)

    def partner(self, of: Jid, cross_share: float) -> Jid | None:
        """A user to write to: with this probability in another domain, if there is a choice; None if there is no other
        user."""
        local = self._present[of.domainpart].choose(self._rng, of)
        if local is not None and self._rng.random() >= cross_share:
            return local
        domain = self._domains.choose(self._rng, of.domainpart)
        return local if domain is None else self._present[domain].choose(self._rng, of)


class Crowd:
    """All users of this process."""

    def __init__(self, lab: RunningLab, accounts: Accounts, run_id: str, rng: Random) -> None:
        """`run_id` tells what this process makes from what others make."""
        self.lab = lab
        self.accounts = accounts
        self.ledger = Ledger()
        self.connections: set[Connection] = set()
        self.rng = rng
        self.run_id = run_id
        self._message_numbers = count()
        self._left: set[str] = set()
        self._circles: dict[str, Circle] = {}

    def circle(self, name: str) -> Circle:
        """The users of the class of this name."""
        return self._circles.setdefault(name, Circle(self.lab, self.accounts, self.rng))

    def tell_left(self, jid: Jid) -> None:
        """The account that its user has made could not be removed; said once for a domain."""
        domain, run_id = jid.domainpart, jid.localpart.rpartition("-")[2]
        if domain not in self._left:
            self._left.add(domain)
            log.warning("accounts load-*-%s@%s are left: %s did not remove them (XEP-0077)", run_id, domain, domain)

    def next_message_id(self) -> str:
        """Used by nobody before."""
        return f"{self.run_id}-{next(self._message_numbers)}"

    def is_own_id(self, id: str) -> bool:
        """Whether it is one of these."""
        return id.startswith(f"{self.run_id}-")

    def rest(self) -> None:
        """As long as the process lives, free memory of connections on which nothing comes."""
        while True:
            gevent.sleep(RESTS_AFTER_S)
            for connection in [*self.connections]:
                if not connection.is_busy:
                    connection.client.rest()
                connection.is_busy = False
