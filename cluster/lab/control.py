"""The server's side of the requests that commands make of it (the commands' side is ask.py)."""

from __future__ import annotations

import inspect

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.storage import log_failed
from cluster.lab.request import REPLY_LIFETIME_S, Reply, Request
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys


class ControlServer:
    """Answers requests one after the other. They wait in a list; that there is a new one is said on a channel."""

    _log = Logger()

    def __init__(self, client: RedisClient, keys: Keys, channel: str, operations: object) -> None:
        """`operations`: each public coroutine method is a verb; its ValueError is told to whoever asked."""
        self._client = client
        self._keys = keys
        self._channel = channel
        self._operations = operations
        self._is_serving = False
        self._is_asked = False

    async def start(self) -> None:
        """Answer from now on, over this connection and each later one, until the client is closed."""
        requests = self._keys.control(self._channel)
        await self._client.subscribe(requests, lambda message: self._look(), self._look)
        self._client.when_connected(self._look, requests)

    def _look(self) -> None:
        """There may be a request."""
        self._is_asked = True
        if not self._is_serving:
            self._is_serving = True
            Deferred.fromCoroutine(self._serve()).addErrback(self._on_failed)

    async def _serve(self) -> None:
        requests = self._keys.control(self._channel)
        try:
            while self._is_asked:
                self._is_asked = False
                while (raw := await self._client.execute("LPOP", requests)) is not None:
                    await self._answer(raw)
        finally:
            self._is_serving = False

    async def _answer(self, raw: bytes) -> None:
        try:
            request = msgspec.json.decode(raw, type=Request)
        except msgspec.DecodeError as error:
            self._log.error("Dropped a request: {error}", error=str(error))
            return
        replies = self._keys.control_reply(self._channel, request.id)
        reply = await self._reply(request)
        await self._client.execute("RPUSH", replies, msgspec.json.encode(reply))
        await self._client.execute("EXPIRE", replies, REPLY_LIFETIME_S)

    def _on_failed(self, failure: Failure) -> None:
        """The next connection begins anew, and where Redis refused something, the next request."""
        log_failed(self._log, "Answering requests", failure)

    async def _reply(self, request: Request) -> Reply:
        operation = None if request.verb.startswith("_") else getattr(self._operations, request.verb, None)
        if not inspect.iscoroutinefunction(operation):
            return Reply(
                error=f"unknown request {request.verb!r}: the command and the server differ in version; restart the lab"
            )
        try:
            return Reply(ok=await operation(**request.args))
        except ValueError as error:
            return Reply(error=str(error))
        except Exception as error:  # whoever asked must hear of it, whatever it was
            self._log.failure("Request {verb} failed", verb=request.verb)
            return Reply(error=f"{request.verb} failed in the server: {error!r}; see its log")
