"""Requests before the login: in-band registration (XEP-0077) and others that modules offer."""

from __future__ import annotations

from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.namespaces import CLIENT, LEGACY_AUTH, REGISTER
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import make
from cluster.xmpp.streams.events import Event, RequestBeforeLogin
from cluster.xmpp.streams.feature import Fact, Feature, Initiating, Receiving, Steps, before_login, request_of
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES, StreamFailed, condition_of
from cluster.xmpp.streams.states import Input, State


def _offer(stream: Receiving) -> tuple[Element, ...]:
    options = stream.options
    return options.features_before_login + (options.features_in_private if options.is_private(stream.secure) else ())


def _take(stream: Receiving, child: Slice) -> Event | None:
    if stream.state is not State.NEGOTIATING or not stream.options.takes_iq_before_login:
        raise before_login(child)
    stream.move(Input.IQ)
    request = request_of(stream, child)
    if not request.may_be_answered_with_error:
        return None  # a reply to no request: it gets no answer, so nothing may wait for one
    if stream.refused_requests >= MAX_LOGIN_TRIES:
        raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_LOGIN_TRIES} requests were refused")
    if stream.login.refused and f"{LEGACY_AUTH} query" in request.payloads:  # XEP-0078 section 7
        raise StreamError(StreamCondition.POLICY_VIOLATION, "a SASL login failed before")
    return stream.ask(RequestBeforeLogin(request))


def _initiate(stream: Initiating, features: Element) -> Steps | None:
    return _register(stream, features) if stream.login.register else None


def _register(stream: Initiating, features: Element) -> Steps:
    query = Element(f"{{{REGISTER}}}query")
    SubElement(query, f"{{{REGISTER}}}username").text = stream.login.jid.localpart
    SubElement(query, f"{{{REGISTER}}}password").text = stream.login.password
    stream.write(make("iq", id="register", type="set", payload=[query]).raw)
    reply = yield from stream.expect("registration", f"{CLIENT} iq")
    error = reply.find(f"{{{CLIENT}}}error")
    if error is not None and condition_of(error)[0] != "conflict":
        raise StreamFailed("registration", *condition_of(error))
    return features


REQUESTS = Feature(
    "requests before the login",
    excludes=Fact.AUTHENTICATED,
    offer=_offer,
    takes={f"{CLIENT} iq": _take},
    initiate=_initiate,
)
