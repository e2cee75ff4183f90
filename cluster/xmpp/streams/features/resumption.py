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
    if SM not in stream.options.offered_after_login:
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


def _initiate(stream: Initiating, features: Element) -> Steps | None:
    return None if stream.resumption is None else _resume(stream, features, stream.resumption)


def _resume(stream: Initiating, features: Element, resumption: Resumption) -> Steps:
    """A server that refuses may say how many stanzas it had handled, too."""
    stream.write(f"<resume xmlns='{SM}' previd={quoteattr(resumption.previd)} h='{resumption.h}'/>".encode())
    answer = yield from stream.expect("resumption", f"{SM} resumed", f"{SM} failed")
    is_resumed, h = answer.tag == f"{{{SM}}}resumed", answer.get("h")
    try:
        handled = sm.read_count(h) if is_resumed or h is not None else None
    except ValueError as error:
        raise StreamFailed("resumption", "bad-format", str(error)) from None
    if is_resumed:
        stream.finish(Bound(resumption.jid, True, handled))
    else:
        stream.handled_before = handled
    return features


RESUMPTION = Feature("stream resumption", needs=Fact.AUTHENTICATED, takes={SM: _take}, initiate=_initiate)
