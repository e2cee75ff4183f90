"""`mailhost`: a mail server, with mailboxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from typing_extensions import override

from cluster.kinds.base.command import Command
from cluster.kinds.base.finding import Finding, KeyPath, Sections
from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.key import Key
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.values import AccountJid, NodeName, Text, items, prepared_account, prepared_domain
from cluster.kinds.mail import SMTP_PORT, MailGateway, mail_address
from cluster.networks.mailhost.requests import REQUESTS, MailView

if TYPE_CHECKING:
    from cluster.components.program import NodeEnvironment, Program
    from cluster.networks.mailhost.person import Mailbox
    from cluster.networks.person import Ask, Person


def _mailbox(text: str) -> str:
    if "+" in text:
        raise ValueError(f"{text!r} has a tag ('+' and what follows), which is not part of a mailbox; delete it")
    return mail_address(text)


def _use(person: Mailbox, action: str | None, words: Sequence[str]) -> None:
    from cluster.networks.mailhost.terminal import use

    use(person, action, words)


class MailHost(NetworkNode, frozen=True, kw_only=True, tag_field="kind", tag="mailhost"):
    """Mailboxes, and the host that delivers their mail."""

    mailboxes: dict[str, str] = msgspec.field(default_factory=dict)
    """Mail addresses by the mailboxes' names."""

    about = "A mail server, with mailboxes: the lab runs one that speaks SMTP, unless `external` names another."
    keys = (
        Key(
            "mailboxes",
            dict[NodeName, Annotated[AccountJid, Text(_mailbox)]],
            "The mailboxes by their names in the lab, such as `fc2: friar@abbey.example`.",
            {},
        ),
    )
    people_key, person = "mailboxes", "mailbox"
    usual_port = SMTP_PORT
    requests = REQUESTS
    refusal = "'451 4.7.1 come back later'"
    command = Command(
        "mail",
        "Read, send and answer mail as a mailbox of the lab.",
        ("mailbox", "Mailbox, such as friar@abbey.example, or its name: fc6."),
        ("inbox", "send", "reply"),
        "What to do.",
        "inbox",
        (
            "[TO SUBJECT TEXT | [NUMBER] TEXT]",
            "For `send`: an address, a subject, a text. For `reply`: the number of the mail in the inbox "
            "(default: the newest) and a text.",
        ),
        MailView,
        _use,
    )

    @override
    @classmethod
    def findings(
        cls, name: str, section: Mapping[str, Any], gateways: Sections, domains: Mapping[str, str]
    ) -> Iterator[Finding]:
        yield from _mailboxes(name, section, gateways, domains)
        if isinstance(section.get("external"), dict):
            yield from _external(("networks", name, "external"), section["external"])

    @override
    def program(self, environment: NodeEnvironment, gateways: Sequence[GatewayNode]) -> Program:
        from cluster.gateways.mail.program import lab_relay
        from cluster.networks.mailhost.configuration import MailboxSettings, MailHostSettings
        from cluster.networks.mailhost.mailhost import LabMailHost
        from cluster.networks.program import NetworkProgram
        from cluster.protocols.smtp.relay import Relay

        mailboxes = tuple(MailboxSettings(address, name) for name, address in self.mailboxes.items())
        domain = mailboxes[0].address.rpartition("@")[2] if mailboxes else self.name
        settings = MailHostSettings(self.name, f"mx.{domain}", mailboxes)
        routes: dict[str, Relay] = {}
        for gateway in gateways:
            if isinstance(gateway, MailGateway):
                relay = lab_relay(environment.reactor, (gateway.host, gateway.port), settings.host_name)
                routes |= dict.fromkeys(gateway.taken_domains, relay)
        host = LabMailHost(
            environment.reactor, settings, routes, environment.folder, environment.tracer,
            now_utc_s=environment.now_utc_s, new_id=environment.new_id, jitter=environment.jitter,
        )  # fmt: skip
        return NetworkProgram(environment.reactor, host, (self.host, self.port))

    @override
    def person_at(self, ask: Ask, address: str) -> Person:
        from cluster.networks.mailhost.person import Mailbox

        return Mailbox(ask, address)


def _mailboxes(
    name: str, network: Mapping[str, Any], gateways: Mapping[str, Any], domains: Mapping[str, str]
) -> Iterator[Finding]:
    """Each address belongs to one mailbox, and not to a domain whose mail a gateway accepts."""
    taken = {domain: gateway for gateway, part in gateways.items() for domain in _taken_by(part, domains)}
    seen: dict[str, str] = {}
    for mailbox, written in items(network, "mailboxes"):
        path, address = ("networks", name, "mailboxes", mailbox), prepared_account(written)
        domain = address.rpartition("@")[2]
        if address in seen:
            yield Finding(path, f"{seen[address]} has the address {address} already; give each mailbox its own")
        elif domain in taken:
            yield Finding(path, f"{taken[domain]} accepts mail for {domain}; give the mailbox another domain")
        seen.setdefault(address, mailbox)


def _taken_by(gateway: Mapping[str, Any], domains: Mapping[str, str]) -> set[str]:
    """The domains whose mail a gateway accepts."""
    mail_for = gateway.get("mail_for")
    written = [gateway.get("domain"), *(mail_for if isinstance(mail_for, list) else ())]
    written += [prepared_account(address).rpartition("@")[2] for address, _ in items(gateway, "aliases")]
    own = {domain for domain, server in domains.items() if server == gateway.get("server")}
    return own | {domain for each in written if (domain := prepared_domain(each)) is not None}


def _external(path: KeyPath, external: Mapping[str, Any]) -> Iterator[Finding]:
    user, password, host = (str(external.get(key) or "") for key in ("user", "password", "host"))
    if user and not external.get("starttls"):
        yield Finding((*path, "user"), "the password would be sent in the clear; add `starttls: true`", at_key=True)
    if password and not user:
        yield Finding((*path, "password"), "a password without a user; add `user`, or delete the password", at_key=True)
    for key, value in (("user", user), ("password", password)):
        if "\0" in value:
            yield Finding((*path, key), "U+0000 separates user and password (RFC 4616); delete it")
    if external.get("starttls") and "_" in host:
        yield Finding((*path, "host"), f"a certificate cannot name {host!r}; give the host a name without '_'")


kind = MailHost
