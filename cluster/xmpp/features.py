"""Stream features (RFC 6120 section 4.3.2): what a server offers at each step of the negotiation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.limits import FROM_CLIENT, Limits
from cluster.xmpp.namespaces import BIND, SASL, SASL_CHANNEL_BINDING, STREAMS, TLS
from cluster.xmpp.sasl import HASHES
from cluster.xmpp.tls import TlsMode


@dataclass(frozen=True)
class StreamOptions:
    """What a server offers on its clients' streams."""

    domain: str
    tls: TlsMode
    features_before_login: tuple[Element, ...] = ()
    """Offered beside the login: in-band registration. Where nothing is, no iq is taken before the login."""
    features_in_private: tuple[Element, ...] = ()
    """Beside them, where what the peer sends cannot be read on the way."""
    features_after_login: tuple[Element, ...] = ()
    anonymous: bool = False
    """Anybody may log in without an account (SASL ANONYMOUS, RFC 4505)."""
    strict: bool = False
    """What old clients do and RFC 6120 forbids is refused, which peers in the field accept."""
    limits: Limits = FROM_CLIENT

    @cached_property
    def offered_after_login(self) -> frozenset[str]:
        """Namespaces of those features: elements of theirs may stand between the stanzas."""
        return frozenset(xml.split(feature.tag)[0] for feature in self.features_after_login)

    @property
    def takes_iq_before_login(self) -> bool:
        """There is something to ask for."""
        return bool(self.features_before_login or self.features_in_private)


def features(options: StreamOptions, secure: bool, bindings: list[str], authenticated: bool) -> Element:
    """What may come next. `bindings`: the channel binding types of this connection."""
    offer = Element(f"{{{STREAMS}}}features")
    if authenticated:
        SubElement(offer, f"{{{BIND}}}bind")
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
    if is_private(options, secure):
        offer.extend(options.features_in_private)
    return offer


def is_private(options: StreamOptions, secure: bool) -> bool:
    """A password may be sent as it is: under TLS, or where the lab does without TLS altogether."""
    return secure or options.tls == "off"


def mechanisms(options: StreamOptions, secure: bool, has_binding: bool) -> list[str]:
    """SASL mechanisms on offer, best first; PLAIN only in private, ANONYMOUS only where the topology has it."""
    bound = [f"{name}-PLUS" for name in HASHES] if has_binding else []
    plain = ["PLAIN"] if is_private(options, secure) else []
    anonymous = ["ANONYMOUS"] if options.anonymous else []
    return [*bound, *HASHES, *plain, *anonymous]
