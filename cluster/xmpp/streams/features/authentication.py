"""SASL (RFC 6120 section 6), with channel bindings (XEP-0440)."""

from __future__ import annotations

from collections.abc import Callable, Generator

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


def text_of(child: Slice) -> str | None:
    """The text of an element that carries the data of a mechanism. Raises SaslError if it carries more."""
    tree = xml.parse(child.raw)
    if len(tree):
        raise sasl.SaslError(sasl.SaslCondition.MALFORMED_REQUEST, "a login is text")
    return tree.text


def _begin(stream: Receiving, child: Slice) -> Event | None:
    stream.move(Input.AUTH)
    stream.login.try_again(SASL)
    on_offer = mechanisms(stream.options, stream.secure, bool(stream.bindings))
    mechanism = child.attributes.get("mechanism", "")
    return proceed(stream, stream.login.begin(mechanism, on_offer, text_of(child), stream.bindings))


def _respond(stream: Receiving, child: Slice) -> Event | None:
    stream.move(Input.RESPONSE)
    return proceed(stream, stream.login.respond(text_of(child)))


def _abort(stream: Receiving, child: Slice) -> None:
    stream.move(Input.ABORT)
    stream.write(stream.login.refuse(sasl.SaslError(sasl.SaslCondition.ABORTED)))


def proceed(stream: Receiving, step: KeysWanted | PasswordGiven | Told) -> Event | None:
    """The next step of a login, in either profile."""
    if not isinstance(step, Told):
        return stream.ask(step)
    if step.accepted:
        return stream.accept_login(step.data)
    stream.write(sasl.framed("challenge", step.data, stream.login.profile))
    return None


def exchange(
    stream: Initiating, on_offer: list[str], profile: str, begin: Callable[[str, str], bytes]
) -> Generator[None, object, Element]:
    """Log in with SCRAM: the `<success>`, in either profile. `begin` writes the mechanism and the initial response.

    Raises StreamFailed.
    """
    login = stream.login
    try:
        client = sasl.ScramClient(on_offer, login.jid.localpart, login.password, stream.bindings, stream.new_id())
        stream.write(begin(client.mechanism, sasl.encode(client.first())))
        challenge = yield from stream.expect("login", f"{profile} challenge")
        stream.write(sasl.framed("response", client.answer(sasl.decode(challenge.text)), profile))
        success = yield from stream.expect("login", f"{profile} success")
        client.verify(sasl.decode(success.findtext(f"{{{profile}}}additional-data", success.text)))
    except sasl.SaslError as error:
        raise StreamFailed("login", error.condition, error.text) from None
    stream.authenticated()
    return success


def _initiate(stream: Initiating, features: Element) -> Steps:
    on_offer = [mechanism.text or "" for mechanism in features.iter(f"{{{SASL}}}mechanism")]
    yield from exchange(stream, on_offer, SASL, _auth)
    return (yield from stream.restarted())


def _auth(mechanism: str, initial: str) -> bytes:
    return f"<auth mechanism='{mechanism}' xmlns='{SASL}'>{initial}</auth>".encode()


SASL_LOGIN = Feature(
    "SASL",
    excludes=Fact.AUTHENTICATED,
    offer=_offer,
    takes={f"{SASL} auth": _begin, f"{SASL} response": _respond, f"{SASL} abort": _abort},
    initiate=_initiate,
)
