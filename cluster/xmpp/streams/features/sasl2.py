"""The extensible SASL profile (XEP-0388): a login without a restart, together with what is to follow it."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import SASL2, SM
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams import hashed_token, sasl, sasl2
from cluster.xmpp.streams.events import Event, TokenGiven
from cluster.xmpp.streams.feature import Fact, Feature, Initiating, Receiving, Steps
from cluster.xmpp.streams.features.authentication import exchange, mechanisms, proceed, text_of
from cluster.xmpp.streams.features.resumption import resume, resumed
from cluster.xmpp.streams.login import StreamFailed
from cluster.xmpp.streams.states import Input

_AGENT = b"<user-agent><software>xmpplab</software></user-agent>"


def _offer(stream: Receiving) -> list[Element]:
    names = mechanisms(stream.options, stream.secure, bool(stream.bindings))
    tokens = hashed_token.mechanisms(stream.bindings)
    options = stream.options
    return [sasl2.offer(names, resumes=options.resumes, features=options.features_of_bind, tokens=tokens)]


def _begin(stream: Receiving, child: Slice) -> Event | None:
    stream.move(Input.AUTHENTICATE)
    stream.login.try_again(SASL2)
    if not stream.secure:  # section 4
        raise sasl.SaslError(sasl.SaslCondition.ENCRYPTION_REQUIRED, "this profile is for TLS only")
    tokens = hashed_token.mechanisms(stream.bindings)
    stream.inline = wish = sasl2.read(child, stream.options.features_of_bind, tokens)
    if wish.mechanism in tokens:
        return stream.ask(_token(stream, wish))
    on_offer = mechanisms(stream.options, stream.secure, bool(stream.bindings))
    return proceed(stream, stream.login.begin(wish.mechanism, on_offer, wish.initial, stream.bindings))


def _token(stream: Receiving, wish: sasl2.Authenticate) -> TokenGiven:
    if wish.use is None or not wish.agent or not wish.initial:
        needs = "a login by token needs <fast/>, the id of its user agent and an initial response (XEP-0484)"
        raise sasl.SaslError(sasl.SaslCondition.MALFORMED_REQUEST, needs)
    proof = hashed_token.read(sasl.decode_bytes(wish.initial))
    stream.login.localpart = proof.localpart
    binding = hashed_token.binding_of(wish.mechanism, stream.bindings)
    count, invalidates = wish.use.count, wish.use.invalidates
    return TokenGiven(proof.localpart, wish.agent, wish.mechanism, proof.hashed, binding, count, invalidates)


def _respond(stream: Receiving, child: Slice) -> Event | None:
    stream.move(Input.RESPONSE_INLINE)
    return proceed(stream, stream.login.respond(text_of(child)))


def _abort(stream: Receiving, child: Slice) -> None:
    stream.move(Input.ABORT_INLINE)
    stream.inline = None
    stream.write(stream.login.refuse(sasl.SaslError(sasl.SaslCondition.ABORTED)))


def _initiate(stream: Initiating, features: Element) -> Steps | None:
    offer = features.find(f"{{{SASL2}}}authentication")
    return None if offer is None else _authenticate(stream, offer, features)


def _authenticate(stream: Initiating, offer: Element, features: Element) -> Steps:
    """A resumption goes with the login, a binding after it: Bind 2 (XEP-0386) gives a client no resource of its choice,
    and leaves to the archive what waits for it."""
    on_offer = [mechanism.text or "" for mechanism in offer.findall(f"{{{SASL2}}}mechanism")]
    resumption = stream.resumption if offer.find(f"{{{SASL2}}}inline/{{{SM}}}sm") is not None else None
    inline = b"" if resumption is None else resume(resumption)

    def begin(mechanism: str, initial: str) -> bytes:
        begun = f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'><initial-response>{initial}</initial-response>"
        return begun.encode() + _AGENT + inline + b"</authenticate>"

    success = yield from exchange(stream, on_offer, SASL2, begin)
    if resumption is not None:
        answer = next((each for each in success if each.tag in (f"{{{SM}}}resumed", f"{{{SM}}}failed")), None)
        if answer is None:
            raise StreamFailed("resumption", "no answer")
        if resumed(stream, resumption, answer):
            return features  # none follow (XEP-0198 section 6.2)
        stream.resumption = None
    return (yield from stream.further_features())


SASL2_LOGIN = Feature(
    "SASL2",
    needs=Fact.SECURE,
    excludes=Fact.AUTHENTICATED,
    offer=_offer,
    takes={f"{SASL2} authenticate": _begin, f"{SASL2} response": _respond, f"{SASL2} abort": _abort},
    initiate=_initiate,
)
