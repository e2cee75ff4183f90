"""Resource binding (RFC 6120 section 7)."""

from __future__ import annotations

from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import BIND, CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import make
from cluster.xmpp.streams.events import Event
from cluster.xmpp.streams.feature import Fact, Feature, Initiating, Receiving, Steps, before_login, request_of
from cluster.xmpp.streams.login import Bound, StreamFailed, condition_of
from cluster.xmpp.streams.states import Input, State


def _take(stream: Receiving, child: Slice) -> Event:
    if stream.state is not State.BINDING:  # the login is not done
        raise before_login(child)
    stream.move(Input.IQ)
    return stream.ask(stream.binding.request(request_of(stream, child)))


def _initiate(stream: Initiating, features: Element) -> Steps:
    bind = Element(f"{{{BIND}}}bind")
    if stream.login.jid.resourcepart:
        SubElement(bind, f"{{{BIND}}}resource").text = stream.login.jid.resourcepart
    stream.write(make("iq", id="bind", type="set", payload=[bind]).raw)
    reply = yield from stream.expect("resource binding", f"{CLIENT} iq")
    jid = reply.find(f"{{{BIND}}}bind/{{{BIND}}}jid")
    if jid is None or not jid.text:
        error = reply.find(f"{{{CLIENT}}}error")
        raise StreamFailed("resource binding", *condition_of(reply if error is None else error))
    try:
        stream.finish(Bound(Jid.parse(jid.text), h=stream.handled_before))
    except JidError as error:
        raise StreamFailed("resource binding", "jid-malformed", str(error)) from None
    return features


BINDING = Feature(
    "resource binding",
    needs=Fact.AUTHENTICATED,
    excludes=Fact.BOUND,
    offer=lambda stream: [Element(f"{{{BIND}}}bind")],
    takes={f"{CLIENT} iq": _take},
    initiate=_initiate,
)
