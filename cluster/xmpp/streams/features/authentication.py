"""SASL (RFC 6120 section 6), with channel bindings (XEP-0440)."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.namespaces import SASL, SASL_CHANNEL_BINDING
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import Event, KeysWanted, PasswordGiven
from cluster.xmpp.streams.feature import Fact, Feature, Initiating, Receiving, Steps
from cluster.xmpp.streams.login import StreamFailed, Told
from cluster.xmpp.streams.states import Input
from cluster.xmpp.streams.stream_options import StreamOptions


def mechanisms(options: StreamOptions, secure: bool, has_binding: bool) -> list[str]:
    """The offered SASL mechanisms, best first; PLAIN only in private, ANONYMOUS only if the topology has it."""
    bound = [f"{name}-PLUS" for name in sasl.HASHES] if has_binding else []
    plain = ["PLAIN"] if options.is_private(secure) else []
    anonymous = ["ANONYMOUS"] if options.anonymous else []
    return [*bound, *sasl.HASHES, *plain, *anonymous]


def _offer(stream: Receiving) -> list[Element]:
    names = Element(f"{{{SASL}}}mechanisms")
    for name in mechanisms(stream.options, stream.secure, bool(stream.bindings)):
        SubElement(names, f"{{{SASL}}}mechanism").text = name
    if not stream.bindings:
        return [names]
    types = Element(f"{{{SASL_CHANNEL_BINDING}}}sasl-channel-binding")
    for binding in stream.bindings:
        SubElement(types, f"{{{SASL_CHANNEL_BINDING}}}channel-binding", type=binding)
    return [names, types]


def _text(child: Slice) -> str | None:
    tree = xml.parse(child.raw)
    if len(tree):
        raise sasl.SaslError(sasl.SaslCondition.MALFORMED_REQUEST, "a login is text")
    return tree.text


def _begin(stream: Receiving, child: Slice) -> Event | None:
    stream.move(Input.AUTH)
    on_offer = mechanisms(stream.options, stream.secure, bool(stream.bindings))
    mechanism = child.attributes.get("mechanism", "")
    return _proceed(stream, stream.login.begin(mechanism, on_offer, _text(child), stream.bindings))


def _respond(stream: Receiving, child: Slice) -> Event | None:
    stream.move(Input.RESPONSE)
    return _proceed(stream, stream.login.respond(_text(child)))


def _abort(stream: Receiving, child: Slice) -> None:
    stream.move(Input.ABORT)
    stream.write(stream.login.refuse(sasl.SaslError(sasl.SaslCondition.ABORTED)))


def _proceed(stream: Receiving, step: KeysWanted | PasswordGiven | Told) -> Event | None:
    if not isinstance(step, Told):
        return stream.ask(step)
    if step.accepted:
        stream.accept_login(step.xml)
    else:
        stream.write(step.xml)
    return None


def _initiate(stream: Initiating, features: Element) -> Steps:
    return _authenticate(stream, [mechanism.text or "" for mechanism in features.iter(f"{{{SASL}}}mechanism")])


def _authenticate(stream: Initiating, on_offer: list[str]) -> Steps:
    try:
        client = sasl.ScramClient(
            on_offer, stream.login.jid.localpart, stream.login.password, stream.bindings, stream.new_id()
        )
        _send(stream, f"auth mechanism='{client.mechanism}'", client.first())
        challenge = yield from stream.expect("login", f"{SASL} challenge")
        _send(stream, "response", client.answer(sasl.decode(challenge.text)))
        success = yield from stream.expect("login", f"{SASL} success")
        client.verify(sasl.decode(success.text))
    except sasl.SaslError as error:
        raise StreamFailed("login", error.condition, error.text) from None
    stream.authenticated()
    return (yield from stream.restarted())


def _send(stream: Initiating, tag: str, text: str) -> None:
    stream.write(f"<{tag} xmlns='{SASL}'>{sasl.encode(text)}</{tag.partition(' ')[0]}>".encode())


SASL_LOGIN = Feature(
    "SASL",
    excludes=Fact.AUTHENTICATED,
    offer=_offer,
    takes={f"{SASL} auth": _begin, f"{SASL} response": _respond, f"{SASL} abort": _abort},
    initiate=_initiate,
)
