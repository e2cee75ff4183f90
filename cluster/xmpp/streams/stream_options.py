"""What a server offers on its clients' streams, as its operator and its modules want it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.limits import FROM_CLIENT, Limits

TlsMode = Literal["required", "optional", "off"]


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

    def is_private(self, secure: bool) -> bool:
        """A password may be sent as it is: under TLS, or where the lab does without TLS altogether."""
        return secure or self.tls == "off"
