"""Stream features (RFC 6120 section 4.3.2): what a server offers at each step of the negotiation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.namespaces import BIND, SASL, SASL_CHANNEL_BINDING, SESSION, STREAMS, TLS
from cluster.xmpp.parser import MAX_STANZA_BYTES
from cluster.xmpp.sasl import HASHES


@dataclass(frozen=True)
class StreamOptions:
    """What a server offers on its clients' streams."""

    domain: str
    tls: Literal["required", "optional", "off"]
    features_before_login: tuple[Element, ...] = ()
    """Offered beside the login: in-band registration. Where there are none, no iq is taken before the login."""
    features_after_login: tuple[Element, ...] = ()
    max_stanza_bytes: int = MAX_STANZA_BYTES


def features(options: StreamOptions, secure: bool, bindings: list[str], authenticated: bool) -> Element:
    """What may come next. `bindings`: the channel binding types of this connection."""
    offer = Element(f"{{{STREAMS}}}features")
    if authenticated:
        SubElement(offer, f"{{{BIND}}}bind")
        session = SubElement(offer, f"{{{SESSION}}}session")
        SubElement(session, f"{{{SESSION}}}optional")
        offer.extend(options.features_after_login)
        return offer
    if options.tls != "off" and not secure:
        starttls = SubElement(offer, f"{{{TLS}}}starttls")
        if options.tls == "required":
            SubElement(starttls, f"{{{TLS}}}required")
            return offer
    names = SubElement(offer, f"{{{SASL}}}mechanisms")
    for name in mechanisms(options, secure, bool(bindings)):
        SubElement(names, f"{{{SASL}}}mechanism").text = name
    if bindings:  # XEP-0440
        types = SubElement(offer, f"{{{SASL_CHANNEL_BINDING}}}sasl-channel-binding")
        for binding in bindings:
            SubElement(types, f"{{{SASL_CHANNEL_BINDING}}}channel-binding", type=binding)
    offer.extend(options.features_before_login)
    return offer


def mechanisms(options: StreamOptions, secure: bool, has_binding: bool) -> list[str]:
    """SASL mechanisms on offer, best first. PLAIN only under TLS, or where the lab does without TLS altogether."""
    bound = [f"{name}-PLUS" for name in HASHES] if has_binding else []
    plain = ["PLAIN"] if secure or options.tls == "off" else []
    return [*bound, *HASHES, *plain]
