"""The node's side of requests from commands (the commands' side is ask.py)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.request import Request, Requests, verb_of
from cluster.base.storage import log_failed
from cluster.lab.control.requests import REPLY_LIFETIME_S, Envelope, Reply
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys

_REMEDY = "check that command and lab have one version"


class _Operation(NamedTuple):
    request: type[Request[Any]]
    run: Callable[..., Awaitable[Any]]


class ControlServer:
    """Answers requests one after the other. They wait in a list, and a channel announces a new one."""

    _log = Logger()

    def __init__(self, client: RedisClient, keys: Keys, channel: str, *operations: tuple[object, Requests]) -> None:
        """`operations`: objects with a coroutine method for each of these requests; its ValueError becomes the
        answer."""
        self._client = client
        self._keys = keys
        self._channel = channel
        self._table = {
            verb_of(request): _Operation(request, getattr(whose, verb_of(request)))
            for whose, requests in operations
            for request in requests
        }
        self._is_serving = False
        self._is_asked = False

    async def start(self) -> None:
        """Answer over this connection and each later one, until the client is closed."""
        requests = self._keys.control(self._channel)
        await self._client.subscribe(requests, lambda message: self._look(), self._look)
        self._client.when_connected(self._look, requests)

    def _look(self) -> None:
        """Look for requests."""
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
            envelope = msgspec.json.decode(raw, type=Envelope)
        except msgspec.DecodeError as error:
            self._log.error("Dropped a request: {error}", error=str(error))
            return
        replies = self._keys.control_reply(self._channel, envelope.id)
        reply = await self._reply(envelope)
        await self._client.execute("RPUSH", replies, msgspec.json.encode(reply))
        await self._client.execute("EXPIRE", replies, REPLY_LIFETIME_S)

    def _on_failed(self, failure: Failure) -> None:
        """The next connection looks again, and if Redis refused something, the next request does."""
        log_failed(self._log, "Answering requests", failure)

    async def _reply(self, envelope: Envelope) -> Reply:
        verb = envelope.verb
        operation = self._table.get(verb)
        if operation is None:
            known = ", ".join(self._table)
            return Reply(error=f"{self._channel} has no request {verb!r}, only {known}; {_REMEDY}")
        try:
            request = envelope.opened(operation.request)
        except msgspec.ValidationError as error:
            return Reply(error=f"malformed request {verb}: {error}; {_REMEDY}")
        fields = {name: getattr(request, name) for name in request.__struct_fields__}
        given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
        try:
            return Reply(msgspec.Raw(msgspec.json.encode(await operation.run(**given))))
        except ValueError as error:
            return Reply(error=str(error))
        except Exception as error:  # the caller must get an answer, whatever the error
            self._log.failure("Request {verb} failed", verb=verb)
            return Reply(error=f"{verb} failed in the server: {error!r}; see its log")
