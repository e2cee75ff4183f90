"""The resumption of a managed stream in place of a resource binding (XEP-0198 section 5)."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition
from cluster.xmpp.namespaces import SM
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.streams import sm
from cluster.xmpp.streams.events import Event, ResumeRequested
from cluster.xmpp.streams.feature import Fact, Feature, Initiating, Receiving, Steps, before_login
from cluster.xmpp.streams.login import Bound, Resumption, StreamFailed
from cluster.xmpp.streams.states import State


def _take(stream: Receiving, child: Slice) -> Event | None:
    """Only resumption is accepted, after the authentication; it is offered as an extension."""
    if not stream.options.resumes:
        raise before_login(child)
    condition = Condition.UNEXPECTED_REQUEST  # section 3
    if child.name == f"{SM} resume" and stream.state is State.BINDING:
        try:
            h = sm.read_count(child.attributes.get("h"))
            return stream.ask(ResumeRequested(child.attributes.get("previd", ""), h))
        except ValueError:
            condition = Condition.BAD_REQUEST
    stream.write(sm.failed(condition))
    return None


def resume(resumption: Resumption) -> bytes:
    """The request of a client."""
    return f"<resume xmlns='{SM}' previd={quoteattr(resumption.previd)} h='{resumption.h}'/>".encode()


def resumed(stream: Initiating, resumption: Resumption, answer: Element) -> bool:
    """Whether this answer grants it; a server that refuses may say how many stanzas it had handled, too.

    Raises StreamFailed.
    """
    is_resumed, h = answer.tag == f"{{{SM}}}resumed", answer.get("h")
    try:
        handled = sm.read_count(h) if is_resumed or h is not None else None
    except ValueError as error:
        raise StreamFailed("resumption", "bad-format", str(error)) from None
    if is_resumed:
        stream.finish(Bound(resumption.jid, True, handled))
    else:
        stream.handled_before = handled
    return is_resumed


def _initiate(stream: Initiating, features: Element) -> Steps | None:
    return None if stream.resumption is None else _resume(stream, features, stream.resumption)


def _resume(stream: Initiating, features: Element, resumption: Resumption) -> Steps:
    stream.write(resume(resumption))
    resumed(stream, resumption, (yield from stream.expect("resumption", f"{SM} resumed", f"{SM} failed")))
    return features


RESUMPTION = Feature("stream resumption", needs=Fact.AUTHENTICATED, takes={SM: _take}, initiate=_initiate)
