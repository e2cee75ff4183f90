"""Keeps the users and domains of a lab in Redis while the lab is up."""

from __future__ import annotations

import random
import time

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Reactor, as_interface
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.provision.announcement import announcement
from cluster.lab.provision.redis import let_in
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl


class Residence:
    """Writes what the servers expect in Redis, and again after each reconnect: a Redis that was restarted without its
    file of users, or a replica that took over, may lack it.
    """

    _log = Logger()

    def __init__(self, reactor: Reactor, folder: LabFolder) -> None:
        self._reactor = reactor
        self._folder = folder
        self._client = RedisClient(reactor, RedisUrl.parse(folder.secrets()[ADMIN]), random.random)
        self._is_telling = self._is_due = False

    async def move_in(self) -> None:
        """Return when Redis has it. Raises RedisUnavailable."""
        await self._client.connect()
        await self._announce()
        self._client.when_connected(self._on_connected)

    async def move_out(self) -> None:
        """Stop, and close the connection."""
        await self._client.close()

    def _on_connected(self) -> None:
        self._is_due = True
        if not self._is_telling:
            self._is_telling = True
            Deferred.fromCoroutine(self._tell()).addErrback(self._on_failed)

    async def _tell(self) -> None:
        plan = self._folder.plan()
        domains = Keys.of_lab(plan.name).domains
        try:
            while self._is_due:
                self._is_due = False
                if plan.redis_url:
                    pool = self._reactor.getThreadPool()
                    await deferToThreadPool(as_interface(self._reactor), pool, let_in, plan, self._folder.secrets())
                if not await self._client.execute("EXISTS", domains):
                    self._log.warn("Redis has lost the settings of the lab: writing them again")
                    await self._announce()
        finally:
            self._is_telling = False

    async def _announce(self) -> None:
        for words in announcement(self._folder.plan(), time.time()):
            await self._client.execute(*words)

    def _on_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, LabError):
            self._log.error("{error}", error=str(failure.value))
        elif not isinstance(failure.value, ConnectionLost):  # else the next connection begins anew
            self._log.failure("Telling Redis of the lab", failure)
