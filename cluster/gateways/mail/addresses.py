"""The mail addresses of XMPP accounts, and of the gateway itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cluster.protocols.mime.address import DOT_ATOM, domain_of, local_of
from cluster.protocols.mime.quoted import quote, unquote
from cluster.xmpp.extensions.escaping import escape, unescape
from cluster.xmpp.jid import Jid

_BOUNCE = "bounce+"


class NotHere(Exception):
    """The gateway accepts no mail for this domain."""


class Unknown(Exception):
    """The domain is right, and the address is unknown."""


@dataclass(frozen=True)
class Account:
    """The address of an XMPP account."""

    jid: Jid
    """A full JID if the address is that of one resource."""
    is_ours: bool
    """Of one of the domains whose mail the gateway accepts. Others are known only to the mail addresses that they wrote
    to."""


@dataclass(frozen=True)
class Bounce:
    """Where failure reports for one mail of the gateway go."""

    key: str


@dataclass(frozen=True)
class Postmaster:
    """The operator of the gateway (RFC 5321 section 4.5.1)."""


class Addresses:
    """The address book of one gateway.

    An account of a domain whose mail the gateway accepts has its own JID as its address, romeo@montague.lit. Every
    account has an address at the gateway's domain, romeo=40montague.lit@mail.montague.lit, and so has each of its
    resources. Aliases come before both.
    """

    def __init__(self, domain: str, xmpp_domains: Collection[str], aliases: Mapping[str, Jid]) -> None:
        """`domain`: of the gateway; `xmpp_domains`: further domains whose mail it accepts; `aliases`: by normal
        address."""
        self.domain = domain
        self._xmpp_domains = frozenset(xmpp_domains)
        self._aliases = {_folded(address): account for address, account in aliases.items()}
        self._alias_domains = {domain_of(address) for address in aliases}

    def takes(self, domain: str) -> bool:
        """Whether mail for this domain comes to this gateway."""
        return domain == self.domain or domain in self._xmpp_domains or domain in self._alias_domains

    def of(self, account: Jid) -> str:
        """The address at which mail reaches the account through this gateway; in ASCII, so that every host accepts
        it."""
        local = unescape(account.localpart)
        if account.domainpart in self._xmpp_domains and DOT_ATOM.fullmatch(local) and local.isascii():
            return f"{local}@{account.domainpart}"
        return f"{quote(str(account.bare))}@{self.domain}"

    def bounce(self, key: str) -> str:
        """The return path of a mail that the gateway sends."""
        return f"{_BOUNCE}{key}@{self.domain}"

    def find(self, address: str) -> Account | Bounce | Postmaster:
        """The owner of the address. Raises NotHere and Unknown."""
        local, domain = local_of(address), domain_of(address)
        if not self.takes(domain):
            raise NotHere(address)
        if (account := self._aliases.get(_folded(address))) is not None:
            return Account(account, True)
        if local.lower() == "postmaster":
            return Postmaster()
        try:
            if domain in self._xmpp_domains:
                return Account(Jid.parse(f"{escape(local)}@{domain}"), True)
            if domain != self.domain:
                raise Unknown(address)
            if local.startswith(_BOUNCE):
                return Bounce(local.removeprefix(_BOUNCE))
            jid = Jid.parse(unquote(local))
        except ValueError:  # JidError is a ValueError
            raise Unknown(address) from None
        if not jid.localpart:
            raise Unknown(address)
        return Account(jid, jid.domainpart in self._xmpp_domains)


def _folded(address: str) -> str:
    """The local part in lower case: for the gateway's own addresses, case makes no difference."""
    return f"{local_of(address).lower()}@{domain_of(address)}"
