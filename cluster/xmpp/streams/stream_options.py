"""The options of a server's client streams, from its operator and its modules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.limits import FROM_CLIENT, Limits
from cluster.xmpp.namespaces import SM

TlsMode = Literal["required", "optional", "off"]


@dataclass(frozen=True)
class StreamOptions:
    """The options of a server's client streams."""

    domain: str
    tls: TlsMode
    features_before_login: tuple[Element, ...] = ()
    """Offered before the login: in-band registration. If there are none, no iq is accepted before the login."""
    features_in_private: tuple[Element, ...] = ()
    """Offered in addition if what the peer sends cannot be read on the way."""
    features_after_login: tuple[Element, ...] = ()
    features_of_bind: tuple[str, ...] = ()
    """Namespaces of what can be enabled together with a binding (XEP-0386)."""
    anonymous: bool = False
    """Anybody may log in without an account (SASL ANONYMOUS, RFC 4505)."""
    strict: bool = False
    """Refuse what old clients do and RFC 6120 forbids, and others accept."""
    limits: Limits = FROM_CLIENT

    @cached_property
    def written(self) -> dict[tuple[object, ...], bytes]:
        """The features of streams as they were written, by what they depend on: few, and the same for many streams."""
        return {}

    @cached_property
    def offered_after_login(self) -> frozenset[str]:
        """Namespaces of those features, whose elements are allowed between the stanzas."""
        return frozenset(xml.split(feature.tag)[0] for feature in self.features_after_login)

    @property
    def resumes(self) -> bool:
        """Whether a client may ask for its former stream (XEP-0198)."""
        return SM in self.offered_after_login

    @property
    def takes_iq_before_login(self) -> bool:
        """Whether there are features for requests before the login."""
        return bool(self.features_before_login or self.features_in_private)

    def is_private(self, secure: bool) -> bool:
        """Whether passwords may be sent unprotected: under TLS, or in a lab without TLS."""
        return secure or self.tls == "off"
