"""What a client gets together with its login (XEP-0388): a token, and its former session or a new one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cluster.server.sessions.binder import Wish
from cluster.server.sessions.port import SessionPort
from cluster.server.tokens import Tokens
from cluster.xmpp.errors import Condition, StanzaError, StreamError
from cluster.xmpp.streams.events import ResumeRequested, SessionWanted
from cluster.xmpp.streams.sasl2 import Opened

Bind = Callable[[str, Wish], Awaitable[SessionPort | StanzaError]]
Resume = Callable[[str, ResumeRequested], Awaitable[SessionPort | StreamError | int | None]]


async def opened(
    wanted: SessionWanted, tokens: Tokens, resume: Resume, bind: Bind
) -> Opened | StanzaError | StreamError:
    """A resumption comes first; the binding follows only where it fails (XEP-0198 section 6.2)."""
    token = None
    if wanted.token is not None:
        token = await tokens.issue(wanted.localpart, wanted.token)
    refusal, h = None, None
    if wanted.resume is not None:
        resumed = await resume(wanted.localpart, wanted.resume)
        if isinstance(resumed, StreamError):
            return resumed
        if resumed is not None and not isinstance(resumed, int):
            return Opened(resumed.jid, resumed.management, token=token)
        refusal, h = Condition.ITEM_NOT_FOUND, resumed
    if wanted.bind is None:
        return Opened(refusal=refusal, h=h, token=token)
    session = await bind(wanted.localpart, wanted.bind)
    if isinstance(session, StanzaError):
        return session
    return Opened(session.jid, None, refusal, h, session.management is not None, session.answer, token)
