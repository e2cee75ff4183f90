"""`mail`: a gateway to a mail host, by SMTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from typing_extensions import override

from cluster.kinds.base.finding import Finding, choice
from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.key import Key
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.server import ServerNode
from cluster.kinds.base.values import AccountJid, Domain, Text, items, prepared_account, prepared_domain
from cluster.xmpp.jid import Jid

if TYPE_CHECKING:
    from cluster.components.program import NodeEnvironment, Program
    from cluster.protocols.smtp.relay import Relay

SMTP_PORT = 2525
"""Instead of 25, which needs root."""

_ATOM = r"[^\s@()\[\];\\,.]+"
_MAIL_LOCALPART = re.compile(rf"{_ATOM}(\.{_ATOM})*")
"""A dot-atom (RFC 5321 section 4.1.2) of characters that a localpart of RFC 7622 may have."""
_MAX_ADDRESS_BYTES = 254
"""RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, with its < and >."""


def mail_address(text: str) -> str:
    """An address for mail. Raises ValueError."""
    localpart = text.rpartition("@")[0]
    if not localpart.isprintable() or not _MAIL_LOCALPART.fullmatch(localpart):
        raise ValueError(f"{text!r} is not a mail address; write it like friar@abbey.example")
    if len(text.encode()) > _MAX_ADDRESS_BYTES:
        raise ValueError(f"this mail address is longer than {_MAX_ADDRESS_BYTES} bytes; write a shorter one")
    return text


class MailGateway(GatewayNode, frozen=True, kw_only=True, tag_field="kind", tag="mail"):
    """Mail addresses as XMPP addresses, and the other way round."""

    mail_domains: tuple[str, ...] = ()
    """Domains of the accounts that get mail at their own JIDs."""
    aliases: dict[str, str] = msgspec.field(default_factory=dict)
    """Further mail addresses, and their owners."""

    about = "A gateway to a mail host, which speaks SMTP: mail addresses as XMPP addresses."
    keys = (
        Key(
            "mail_for",
            list[Domain],
            "Further domains of the lab whose accounts get mail at their JIDs, in addition to the server's own.",
            [],
        ),
        Key(
            "aliases",
            dict[Annotated[AccountJid, Text(mail_address)], AccountJid],
            "Further mail addresses, and their owners: `nurse@verona.example: juliet@capulet.lit`.",
            {},
        ),
    )
    network_kind = "mailhost"
    usual_port = SMTP_PORT

    @override
    @classmethod
    def fields(cls, written: dict[str, Any], server_domain: str) -> dict[str, Any]:
        return {"mail_domains": (server_domain, *written["mail_for"]), "aliases": written["aliases"]}

    @property
    def taken_domains(self) -> list[str]:
        """The domains whose mail it accepts."""
        from cluster.protocols.mime.address import domain_of

        return [self.domain, *self.mail_domains, *(domain_of(address) for address, _ in self._whose())]

    @override
    @classmethod
    def findings(cls, name: str, section: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
        """Mail is for accounts of the lab, and each address has one owner."""
        path = ("gateways", name)
        taken = [domain for domain, server in domains.items() if server == section.get("server")]
        mail_for = section.get("mail_for")
        for index, written in enumerate(mail_for if isinstance(mail_for, list) else ()):
            domain = prepared_domain(written)
            if domain is None:
                continue
            if domain in taken:
                yield Finding((*path, "mail_for", index), f"mail for {domain} already comes here; delete it")
            elif domain not in domains:
                text = f"no server has the domain {domain!r}{choice(domain, sorted(domains))}"
                yield Finding((*path, "mail_for", index), text)
            taken.append(domain)
        yield from _aliases((*path, "aliases"), section, domains)

    @override
    def program(self, environment: NodeEnvironment, server: ServerNode, network: NetworkNode) -> Program:
        from cluster.gateways.mail.configuration import MailSettings
        from cluster.gateways.mail.program import MailProgram

        return MailProgram(
            environment,
            MailSettings(self.name, self.domain, self.mail_domains, self._whose()),
            environment.component((server.host, server.component_port), self.domain, self.secret),
            self._relay(environment, network),
            (self.host, self.port),
        )

    def _whose(self) -> tuple[tuple[str, Jid], ...]:
        from cluster.protocols.mime.address import normal

        return tuple((normal(address), Jid.parse(account)) for address, account in self.aliases.items())

    def _relay(self, environment: NodeEnvironment, network: NetworkNode) -> Relay:
        from cluster.gateways.mail.program import lab_relay, real_relay
        from cluster.protocols.smtp.settings import RelaySettings

        if not network.is_external:
            return lab_relay(environment.reactor, (network.host, network.port), self.domain)
        settings = RelaySettings(network.host, network.user, network.password, network.starttls)
        return real_relay(environment.reactor, settings, network.port, self.domain)


def _aliases(path: tuple[str, ...], section: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for address, account in items(section, "aliases"):
        domain = prepared_domain(str(account).rpartition("@")[2])
        if domain is not None and domain not in domains:
            yield Finding((*path, address), f"no server has the domain {domain!r}{choice(domain, sorted(domains))}")
        known = prepared_account(address)
        if known in seen:
            text = f"this is the same address as {seen[known]}; keep one of the two"
            yield Finding((*path, address), text, at_key=True)
        seen.setdefault(known, address)


kind = MailGateway
