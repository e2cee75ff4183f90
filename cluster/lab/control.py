"""The server's side of the requests that commands make of it (the commands' side is ask.py)."""

from __future__ import annotations

import inspect

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger

from cluster.lab.request import REPLY_LIFETIME_S, Reply, Request
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys


class ControlServer:
    """Answers requests one after the other, over a Redis connection of its own: waiting for the next one blocks it."""

    _log = Logger()

    def __init__(self, client: RedisClient, keys: Keys, channel: str, operations: object) -> None:
        """`operations`: each public coroutine method is a verb; its ValueError is told to whoever asked."""
        self._client = client
        self._keys = keys
        self._channel = channel
        self._operations = operations

    async def start(self) -> None:
        """Answer from now on, on this connection and each later one, until the client is closed."""
        self._client.when_connected(self._begin)

    def _begin(self) -> None:
        serving = Deferred.fromCoroutine(self._serve())
        serving.addErrback(lambda failure: self._log.failure("No more requests are answered", failure))

    async def _serve(self) -> None:
        requests = self._keys.control(self._channel)
        try:
            while True:
                _, raw = await self._client.execute("BLPOP", requests, 0)
                request = msgspec.json.decode(raw, type=Request)
                replies = self._keys.control_reply(self._channel, request.id)
                reply = await self._reply(request)
                await self._client.execute("RPUSH", replies, msgspec.json.encode(reply))
                await self._client.execute("EXPIRE", replies, REPLY_LIFETIME_S)
        except ConnectionLost:
            return  # the next connection begins anew

    async def _reply(self, request: Request) -> Reply:
        operation = None if request.verb.startswith("_") else getattr(self._operations, request.verb, None)
        if not inspect.iscoroutinefunction(operation):
            return Reply(error=f"this server knows no {request.verb!r}; command and server are of different versions")
        try:
            return Reply(ok=await operation(**request.args))
        except ValueError as error:
            return Reply(error=str(error))
        except Exception as error:  # whoever asked must hear of it, whatever it was
            self._log.failure("Request {verb} failed", verb=request.verb)
            return Reply(error=f"{request.verb} failed in the server: {error!r}; its log tells more")
