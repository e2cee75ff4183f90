"""The domains that a server's certificate is valid for (RFC 6120 section 13.7.1.2, RFC 6125)."""

from __future__ import annotations

import idna
import msgspec

SRV_SERVICE = "_xmpp-server."


class PeerCertificate(msgspec.Struct, frozen=True):
    """The identities in the peer's certificate. The common name is not one of them (RFC 9525 section 2)."""

    dns: tuple[str, ...] = ()
    """dNSName: a domain, or `*.` and a domain."""
    srv: tuple[str, ...] = ()
    """SRVName (RFC 4985): `_xmpp-server.` and a domain."""
    xmpp: tuple[str, ...] = ()
    """XmppAddr (RFC 3920): a domain, in Unicode."""
    problem: str = ""
    """Why it proves nothing: for example there is none, it has expired, or no trusted authority signed it."""

    def why_not(self, domain: str) -> str:
        """Why it is not valid for this domain; empty if it is."""
        if self.problem:
            return self.problem
        wanted = ascii_form(domain)
        if any(_matches(name, wanted) for name in self.dns):
            return ""
        if any(_is_srv_of(name, wanted) for name in self.srv):
            return ""
        if any(ascii_form(name) == wanted for name in self.xmpp):
            return ""
        named = ", ".join([*self.dns, *self.srv, *self.xmpp]) or "nobody"
        return f"the certificate is for {named[:256]}"


NO_CERTIFICATE = PeerCertificate(problem="no certificate was shown")


def ascii_form(domain: str) -> str:
    """The domain as A-labels (RFC 6125 section 6.4.2), in lower case; one that has none is only lowercased."""
    try:
        return idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain.lower()
    except idna.IDNAError:
        return domain.lower()


def _matches(presented: str, wanted: str) -> bool:
    """RFC 6125 section 6.4.3: a wildcard stands for exactly one label, the whole of the first one."""
    presented = presented.lower()
    if presented.startswith("*."):
        label, dot, rest = wanted.partition(".")
        return bool(label and dot) and "." in rest and presented[2:] == rest
    return presented == wanted


def _is_srv_of(presented: str, wanted: str) -> bool:
    presented = presented.lower()
    return presented.startswith(SRV_SERVICE) and presented[len(SRV_SERVICE) :] == wanted
