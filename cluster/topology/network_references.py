"""What the foreign networks of the file, and the gateways to them, say about each other and about the servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.topology.problem import Finding, KeyPath
from cluster.topology.section import prepared_account, prepared_domain, sections

_SMPP_USER, _SMPP_PASSWORD = 15, 8
"""Most octets of a system_id and of its password (SMPP 3.4 sections 5.2.1 and 5.2.2)."""
_USUAL_NUMBER = "2345"


def findings(data: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
    """Numbers and addresses that two have, and logins that the protocol cannot carry. `domains`: see `references`."""
    gateways, networks = sections(data, "gateways"), sections(data, "networks")
    for name, network in networks.items():
        own = {gateway: part for gateway, part in gateways.items() if part.get("network") == name}
        if network.get("kind") == "smsc":
            yield from _numbers(name, network, own)
            if isinstance(network.get("external"), dict):
                yield from _message_centre(("networks", name, "external"), network["external"])
            else:
                yield from _esmes(own)
        elif network.get("kind") == "mailhost":
            yield from _mailboxes(name, network, own, domains)
            if isinstance(network.get("external"), dict):
                yield from _mail_host(("networks", name, "external"), network["external"])
        if name in domains:
            text = f"{domains[name]} serves the domain {name}; give the network another name"
            yield Finding(("networks", name), text, at_key=True)


def _numbers(name: str, network: Mapping[str, Any], gateways: Mapping[str, Any]) -> Iterator[Finding]:
    """Each number is one phone's or one gateway's, whose number begins those of no phone: it is a range of its own."""
    ranges: dict[str, str] = {}
    for gateway, part in gateways.items():
        number = part.get("number", _USUAL_NUMBER)
        if number in ranges:
            text = f"{ranges[number]} has the number {number} at {name} already; give each gateway its own"
            yield Finding(("gateways", gateway, "number"), text)
        elif isinstance(number, str):
            ranges[number] = gateway
    phones: dict[str, str] = {}
    for phone, number in _items(network, "phones"):
        path = ("networks", name, "phones", phone)
        taken = next((start for start in ranges if isinstance(number, str) and number.startswith(start)), None)
        if taken is not None:
            text = f"{ranges[taken]} has the number {taken}, so that what is for {number} would come to it; change one"
            yield Finding(path, text)
        if number in phones:
            yield Finding(path, f"{phones[number]} has the number {number} already; give each phone its own")
        elif isinstance(number, str):
            phones[number] = phone


def _message_centre(path: KeyPath, external: Mapping[str, Any]) -> Iterator[Finding]:
    for key, most in (("user", _SMPP_USER), ("password", _SMPP_PASSWORD)):
        value = external.get(key)
        if isinstance(value, str) and not _fits(value, most):
            text = f"SMPP carries at most {most} characters of Latin-1 here, and no U+0000; change it there"
            yield Finding((*path, key), text)
    if external.get("starttls"):
        yield Finding((*path, "starttls"), "only a mail host has starttls; delete this key", at_key=True)


def _esmes(gateways: Mapping[str, Any]) -> Iterator[Finding]:
    """At the lab's own message centre a gateway logs in with its name and its secret (see lab/sms.py)."""
    seen: dict[str, str] = {}
    for name, gateway in gateways.items():
        secret = gateway.get("secret")
        if isinstance(secret, str) and not _fits(secret[:_SMPP_PASSWORD], _SMPP_PASSWORD):
            text = (
                f"its first {_SMPP_PASSWORD} characters are its password in SMPP, which carries Latin-1 without U+0000"
            )
            yield Finding(("gateways", name, "secret"), f"{text}; choose another")
        first = seen.setdefault(name[:_SMPP_USER], name)
        if first != name:
            text = f"in SMPP it is known by its first {_SMPP_USER} characters, and so is {first}; rename one"
            yield Finding(("gateways", name), text, at_key=True)


def _fits(text: str, most: int) -> bool:
    """A C-octet string of SMPP can carry it (section 3.1)."""
    return len(text) <= most and all("\0" < character <= "\xff" for character in text)


def _mailboxes(
    name: str, network: Mapping[str, Any], gateways: Mapping[str, Any], domains: Mapping[str, str]
) -> Iterator[Finding]:
    """Each address is one mailbox's, and of no domain whose mail a gateway takes."""
    taken = {domain: gateway for gateway, part in gateways.items() for domain in _taken_by(part, domains)}
    seen: dict[str, str] = {}
    for mailbox, written in _items(network, "mailboxes"):
        path, address = ("networks", name, "mailboxes", mailbox), prepared_account(written)
        domain = address.rpartition("@")[2]
        if address in seen:
            yield Finding(path, f"{seen[address]} has the address {address} already; give each mailbox its own")
        elif domain in taken:
            yield Finding(path, f"{taken[domain]} accepts mail for {domain}; give the mailbox another domain")
        seen.setdefault(address, mailbox)


def _taken_by(gateway: Mapping[str, Any], domains: Mapping[str, str]) -> set[str]:
    """The domains whose mail a gateway takes."""
    mail_for = gateway.get("mail_for")
    written = [gateway.get("domain"), *(mail_for if isinstance(mail_for, list) else ())]
    written += [prepared_account(address).rpartition("@")[2] for address, _ in _items(gateway, "aliases")]
    own = {domain for domain, server in domains.items() if server == gateway.get("server")}
    return own | {domain for each in written if (domain := prepared_domain(each)) is not None}


def _mail_host(path: KeyPath, external: Mapping[str, Any]) -> Iterator[Finding]:
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


def _items(section: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    found = section.get(key)
    return [*found.items()] if isinstance(found, dict) else []
