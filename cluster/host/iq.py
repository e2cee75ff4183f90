"""Dispatch of iq requests to the handlers of the modules (RFC 6120 section 8.2.3, RFC 6121 section 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.settled import Settled, until_settled
from cluster.host.module import AddressedTo, Context
from cluster.host.module_host import ModuleHost
from cluster.host.unavailable import refusal
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = Logger()
NOTHING_HANDLES = "nothing here handles this request"
"""For accounts and unknown addresses alike: a stranger must not distinguish them."""


def check(stanza: Stanza) -> None:
    """Raises StanzaError for a malformed iq (RFC 6120 sections 8.1.3 and 8.2.3)."""
    if stanza.type not in ("get", "set", "result", "error"):
        raise StanzaError(Condition.BAD_REQUEST, "the type of an iq is get, set, result or error")
    if stanza.id is None:
        raise StanzaError(Condition.BAD_REQUEST, "an iq has an id")
    if stanza.type in ("get", "set") and len(stanza.payloads) != 1:
        raise StanzaError(Condition.BAD_REQUEST, "an iq request has exactly one child element")


class IqDispatch(Generic[Context]):
    """Answers the requests to the server (or a gateway) itself, each exactly once."""

    def __init__(
        self,
        host: ModuleHost[Context],
        reply: Callable[[Stanza], Settled],
        answered: Callable[[Stanza], object] = lambda answer: None,
        bounce: Callable[[Stanza, StanzaError], Settled] | None = None,
    ) -> None:
        """`reply` sends the answer on its way; a request has settled when that has.

        `answered` is told of results and errors, which have reached their end. `bounce` returns a refused request to
        its sender; without it, `reply` sends the error.
        """
        self._host = host
        self._reply = reply
        self._answered = answered
        self._bounce = bounce or (lambda request, error: reply(request.error(error)))

    def handle(self, ctx: Context, request: Stanza, addressed_to: AddressedTo, *about: object) -> Settled:
        """Answer a request. `about`: what handlers get beside it."""
        if request.type in ("result", "error"):
            self._answered(request)
            return None
        try:
            check(request)  # it may have come over a link, unchecked
            assert request.type is not None  # checked
            handler = self._host.iq_handler(request.type, request.payloads[0], addressed_to)
            if handler is None:
                raise self._refusal(request, addressed_to)
            answer = handler(ctx, request, *about)
        except Exception as error:  # whatever failed, a request is answered
            return self._fail(error, request)
        if isinstance(answer, Stanza):
            return self._reply(answer)
        return Deferred.fromCoroutine(self._reply_later(answer, request))

    def _refusal(self, request: Stanza, addressed_to: AddressedTo) -> StanzaError:
        assert request.type is not None
        if addressed_to == "account" and self._host.iq_handler(request.type, request.payloads[0], "own") is not None:
            # RFC 6121 sections 2.1.5 and 2.3.3; XEP-0049 section 3
            return StanzaError(Condition.FORBIDDEN, "only the account itself may request this")
        # RFC 6121 section 8.5.1: who asks must not learn whether there is an account; `xmpplab why` may say so
        reason = reasons.NO_ACCOUNT if addressed_to == "nobody" else None
        return StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES, reason=reason)

    async def _reply_later(self, answer: Awaitable[Stanza], request: Stanza) -> None:
        try:
            settled = self._reply(await answer)
        except Exception as error:  # as above
            settled = self._fail(error, request)
        await until_settled(settled)

    def _fail(self, error: Exception, request: Stanza) -> Settled:
        """Turn an exception into an error stanza."""
        refused = refusal(error)
        if refused is None:
            _log.failure("a handler of {payload} failed", payload=request.payloads[0])
            refused = StanzaError(Condition.INTERNAL_SERVER_ERROR, reason=reasons.INTERNAL_ERROR)
        return self._bounce(request, refused)
