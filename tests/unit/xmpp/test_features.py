"""What a server offers at each step (RFC 6120 section 4.3.2)."""

from __future__ import annotations

import pytest

from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import BIND, SASL, SASL2, SASL_CHANNEL_BINDING, TLS
from cluster.xmpp.streams.feature import Feature, StreamKind, offered
from cluster.xmpp.streams.features.authentication import mechanisms
from cluster.xmpp.streams.features.clients import CLIENTS
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.stream_options import StreamOptions

SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-1"]
PLUS = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]
REGISTER = Element("{http://jabber.org/features/iq-register}register")


def features(options: StreamOptions, secure: bool, bindings: list[str], *, authenticated: bool) -> Element:
    stream = ReceivingStream(options, lambda: "id")
    stream.secure, stream.bindings = secure, dict.fromkeys(bindings, b"")
    stream.localpart = "romeo" if authenticated else ""
    return offered(CLIENTS.features, stream)


@pytest.mark.parametrize(
    ("tls", "secure", "has_binding", "names"),
    [
        ("required", True, True, [*PLUS, *SCRAM, "PLAIN"]),
        ("required", True, False, [*SCRAM, "PLAIN"]),
        ("optional", False, False, SCRAM),  # no password in clear where TLS could be had
        ("optional", True, True, [*PLUS, *SCRAM, "PLAIN"]),
        ("off", False, False, [*SCRAM, "PLAIN"]),
    ],
)
def test_mechanisms(tls: str, secure: bool, has_binding: bool, names: list[str]) -> None:
    options = StreamOptions("montague.lit", tls)
    assert mechanisms(options, secure, has_binding) == names
    offer = features(options, secure, ["tls-exporter"] if has_binding else [], authenticated=False)
    if tls != "required" or secure:
        assert [name.text for name in offer.iter(f"{{{SASL}}}mechanism")] == names


def shape(offer: Element) -> list[object]:
    return [(child.tag, [grandchild.tag for grandchild in child]) for child in offer]


def test_tls_comes_first_where_it_is_required() -> None:
    # RFC 6120 section 5.3.1: nothing else is on offer
    options = StreamOptions("montague.lit", "required", features_before_login=(REGISTER,))
    offer = features(options, False, [], authenticated=False)
    assert shape(offer) == [(f"{{{TLS}}}starttls", [f"{{{TLS}}}required"])]


def test_tls_where_it_is_optional() -> None:
    options = StreamOptions("montague.lit", "optional", features_before_login=(REGISTER,))
    offer = features(options, False, [], authenticated=False)
    # RFC 6120 section 4.3.2: their order means nothing
    assert {child.tag for child in offer} == {f"{{{TLS}}}starttls", f"{{{SASL}}}mechanisms", REGISTER.tag}
    assert not len(offer[0])
    offer = features(options, True, [], authenticated=False)
    # XEP-0388 section 4: the other profile under TLS only
    assert {child.tag for child in offer} == {f"{{{SASL2}}}authentication", f"{{{SASL}}}mechanisms", REGISTER.tag}


def test_channel_binding_types() -> None:
    # XEP-0440
    offer = features(StreamOptions("montague.lit", "required"), True, ["tls-exporter", "x"], authenticated=False)
    types = offer.findall(f"{{{SASL_CHANNEL_BINDING}}}sasl-channel-binding/{{{SASL_CHANNEL_BINDING}}}channel-binding")
    assert [binding.get("type") for binding in types] == ["tls-exporter", "x"]


def test_after_the_login() -> None:
    more = Element("{urn:xmpp:features:rosterver}ver")
    options = StreamOptions("montague.lit", "required", (REGISTER,), features_after_login=(more,))
    offer = features(options, True, ["tls-exporter"], authenticated=True)
    assert shape(offer) == [(f"{{{BIND}}}bind", []), (more.tag, [])]


def test_a_stream_of_another_kind() -> None:
    """The content namespace and the features are values: here, a stream between servers with one feature of its own."""
    tag = "{urn:xmpp:bidi}bidi"  # XEP-0288
    kind = StreamKind("jabber:server", (Feature("bidi", offer=lambda stream: [Element(tag)]),))
    stream = ReceivingStream(StreamOptions("montague.lit", "off"), lambda: "id1", kind)
    stream.receive_data(
        b"<stream:stream to='montague.lit' from='capulet.lit' version='1.0' xmlns='jabber:server' "
        b"xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    assert list(stream.events()) == []
    answer = stream.data_to_send()
    assert b"xmlns='jabber:server'" in answer
    assert answer.endswith(b"""<stream:features><bidi xmlns="urn:xmpp:bidi"/></stream:features>""")
