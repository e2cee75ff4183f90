"""Stream Management (XEP-0198): clients and server acknowledge stanzas, and a broken stream can be resumed.

Resumption is in server/c2s/client_stream.py, since it replaces resource binding. A session that can be resumed is
stored (server/sessions/persistence.py), so that its client may return to a server that was restarted.
"""

from __future__ import annotations

from cluster.server.context import ModuleContext, ServerModule
from cluster.server.sessions.session import Session
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StreamCondition, StreamError
from cluster.xmpp.namespaces import SM
from cluster.xmpp.streams import sm
from cluster.xmpp.streams.events import Nonza

RESUME_TIMEOUT_S = 300.0
"""How long a session waits for its client at the most: long enough for a train in a tunnel, as Prosody and ejabberd."""

module = ServerModule("sm", ns=SM, xep=198, version="1.6.3")


@module.stream_feature("after login")
def offer(ctx: ModuleContext) -> Element:
    """Offered to all (section 2)."""
    return Element(f"{{{SM}}}sm")


@module.on_nonza("enable")
def enable(ctx: ModuleContext, session: Session, nonza: Nonza) -> None:
    """Count from here on (section 3); a second request is an error, which ends the stream."""
    if session.sm is not None:
        raise StreamError(StreamCondition.POLICY_VIOLATION, "stream management is enabled already")
    management = _management(ctx, session, nonza)
    session.write(sm.enabled(management))
    session.manage(management)


@module.on_bind("enable")
def begin_managed(ctx: ModuleContext, session: Session, nonza: Nonza) -> bytes:
    """Count from the first stanza on (section 6.1)."""
    management = _management(ctx, session, nonza)
    session.manage(management)
    return sm.enabled(management)


def _management(ctx: ModuleContext, session: Session, nonza: Nonza) -> sm.StreamManagement:
    timeout_s = _timeout_s(nonza) if nonza.attributes.get("resume") in ("true", "1") else 0.0
    if session.account.temporary:  # a client cannot log in to it again
        timeout_s = 0.0
    return sm.StreamManagement(ctx.new_id() if timeout_s else "", timeout_s, patience=sm.PATIENCE)


def _timeout_s(nonza: Nonza) -> float:
    wish = nonza.attributes.get("max", "")
    return (
        min(RESUME_TIMEOUT_S, float(wish)) if wish.isascii() and wish.isdigit() and len(wish) < 10 else RESUME_TIMEOUT_S
    )


@module.on_nonza("r")
def acknowledge(ctx: ModuleContext, session: Session, nonza: Nonza) -> None:
    """Send the count (section 4)."""
    if session.sm is None:
        session.write(sm.failed(Condition.UNEXPECTED_REQUEST))
    else:
        session.asked()


@module.on_nonza("a")
def acknowledged(ctx: ModuleContext, session: Session, nonza: Nonza) -> None:
    """The client has handled `h` stanzas (section 4)."""
    if session.sm is None:
        return
    try:
        h = sm.read_count(nonza.attributes.get("h"))
    except ValueError as error:
        raise StreamError(StreamCondition.BAD_FORMAT, str(error)) from None
    session.acknowledged(h)


@module.on_nonza("resume")
def refuse(ctx: ModuleContext, session: Session, nonza: Nonza) -> None:
    """Too late: a resource is bound (section 5)."""
    session.write(sm.failed(Condition.UNEXPECTED_REQUEST))
