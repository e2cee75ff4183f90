"""The stanzas to and from servers that record no hops of them: what this side of the link knows is recorded here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from typing_extensions import override

from cluster.base import reasons
from cluster.base.settled import Settled
from cluster.router.port import QUEUE, HopRecorder, Receiver, Unsettled
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.extensions.chat_states import CHAT_STATE, is_chat_state
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Kind, Stanza, error_of

MAX_ASKED = 1_000
"""Followed stanzas whose answers are looked for; beyond it, the oldest one's is not."""


class _Ends(NamedTuple):
    """What an answer repeats of a stanza (RFC 6120 sections 8.1.3 and 8.3.1)."""

    kind: Kind
    from_: Jid | None
    to: Jid | None
    id: str


class Foreign:
    """Records for a server of ours what servers of other kinds do not: a followed stanza was acknowledged (XEP-0198) or
    answered there, and a stanza from there is followed from here on.
    """

    def __init__(self, tracer: HopRecorder) -> None:
        self._tracer = tracer
        self._asked: dict[_Ends, str] = {}
        """The trace ids of followed stanzas that may be answered, oldest first."""

    def sent(self, stanza: Stanza) -> None:
        """A followed stanza was written."""
        if stanza.id and stanza.may_be_answered_with_error:
            self._asked[_Ends(stanza.kind, stanza.from_, stanza.to, stanza.id)] = stanza.trace_id
            if len(self._asked) > MAX_ASKED:
                del self._asked[next(iter(self._asked))]

    def acknowledged(self, stanza: Stanza) -> None:
        """The peer has a followed stanza."""
        assert stanza.to is not None
        self._tracer.record("dequeued", stanza, f"{stanza.to.domainpart} has acknowledged it", node=QUEUE)

    def entrance(self, receiver: Receiver) -> Receiver:
        """`receiver`, for stanzas that come from there."""
        return _Entrance(self, receiver)

    def entered(self, stanza: Stanza) -> Stanza:
        """The stanza, with a trace id if it is to be followed."""
        if self._asked and stanza.id and not stanza.may_be_answered_with_error:
            asked = _Ends(stanza.kind, stanza.to, stanza.from_, stanza.id)
            if trace_id := self._asked.pop(asked, ""):
                self._answered(msgspec.structs.replace(stanza, from_=stanza.to, to=stanza.from_, trace_id=trace_id))
                return stanza
        if stanza.trace_id or not (trace_id := self._tracer.sample(stanza)):
            return stanza  # the guard has recorded a probe
        followed = msgspec.structs.replace(stanza, trace_id=trace_id)
        detail = CHAT_STATE if is_chat_state(stanza) else "its sender's server records no hops"
        self._tracer.record("dequeued", followed, detail, node=QUEUE)
        return followed

    def _answered(self, stanza: Stanza) -> None:
        """`stanza`: the answer, with the addresses and the trace id of what it answers."""
        assert stanza.to is not None
        answerer = stanza.to.domainpart
        if stanza.type == "error":
            cause = f"{error_of(stanza)}, answers {answerer}"
            self._tracer.record("bounced", stanza, cause, QUEUE, reasons.REFUSED)
        else:
            self._tracer.record("dequeued", stanza, f"{answerer} has answered it", node=QUEUE)


class _Entrance(Receiver):
    """The receiver of what comes from such servers."""

    def __init__(self, foreign: Foreign, receiver: Receiver) -> None:
        self._foreign = foreign
        self._receiver = receiver

    @override
    def from_link(self, stanza: Stanza, place: str) -> Settled:
        return self._receiver.from_link(self._foreign.entered(stanza), place)

    @override
    def copies_from_link(self, copies: Copies, place: str) -> Iterable[Unsettled]:
        return self._receiver.copies_from_link(copies, place)

    @override
    def bounce(self, stanza: Stanza, error: StanzaError) -> Settled:
        return self._receiver.bounce(stanza, error)
