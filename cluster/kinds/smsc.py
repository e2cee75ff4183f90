"""`smsc`: a message centre for SMS, with phones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from typing_extensions import override

from cluster.kinds.base.command import Command
from cluster.kinds.base.finding import Finding, KeyPath, Sections
from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.key import Key
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.values import NodeName, Text, items
from cluster.kinds.sms import SMPP_PASSWORD, SMPP_USER, USUAL_NUMBER, SmsGateway
from cluster.networks.smsc.requests import REQUESTS, TextView

if TYPE_CHECKING:
    from cluster.components.program import NodeEnvironment, Program
    from cluster.networks.person import Ask, Person
    from cluster.networks.smsc.person import Phone

_NUMBER = r"^\+[1-9][0-9]{6,14}$"
"""ITU-T E.164: country code and number, together at most 15 digits."""


def _number(text: str) -> str:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"{text!r} is not a phone number; write it with its country code, like '+393331234567'")
    return text


def _use(person: Phone, action: str | None, words: Sequence[str]) -> None:
    from cluster.networks.smsc.terminal import use

    use(person, action, words)


class MessageCentre(NetworkNode, frozen=True, kw_only=True, tag_field="kind", tag="smsc"):
    """Phones, and the message centre that delivers their texts."""

    phones: dict[str, str] = msgspec.field(default_factory=dict)
    """Numbers by the phones' names."""

    about = "A message centre for SMS, with phones: the lab runs one that speaks SMPP, unless `external` names another."
    keys = (
        Key(
            "phones",
            dict[NodeName, Annotated[str, Text(_number, _NUMBER)]],
            "The numbers of its phones by their names in the lab, such as `fc1: '+393331234567'`.",
            {},
        ),
    )
    people_key, person = "phones", "phone"
    usual_port = 2775
    """Registered for SMPP."""
    requests = REQUESTS
    refusal = "ESME_RSYSERR"
    command = Command(
        "phone",
        "Read and send texts as a phone of the lab. Interactive without an action.\n\n"
        "A phone that is off receives its texts when it is on again.",
        ("number", "Phone, such as +393331234567, or its name: fc1."),
        ("inbox", "send", "reply", "on", "off"),
        "Without: use it interactively.",
        None,
        (
            "[[TO] TEXT]",
            "For `send`: a number, an address or a name such as romeo, and a text. For `reply`: a text.",
        ),
        TextView,
        _use,
    )

    @override
    @classmethod
    def findings(
        cls, name: str, section: Mapping[str, Any], gateways: Sections, domains: Mapping[str, str]
    ) -> Iterator[Finding]:
        yield from _numbers(name, section, gateways)
        if isinstance(section.get("external"), dict):
            yield from _external(("networks", name, "external"), section["external"])
        else:
            yield from _esmes(gateways)

    @override
    def program(self, environment: NodeEnvironment, gateways: Sequence[GatewayNode]) -> Program:
        from cluster.networks.program import NetworkProgram
        from cluster.networks.smsc.configuration import EsmeAccount, SmscSettings, Subscriber
        from cluster.networks.smsc.smsc import Smsc

        esmes = tuple(
            EsmeAccount(*gateway.login(self), (gateway.number,), gateway.name)
            for gateway in gateways
            if isinstance(gateway, SmsGateway)
        )
        phones = tuple(Subscriber(number, name) for name, number in self.phones.items())
        smsc = Smsc(
            environment.reactor, SmscSettings(self.name, phones, esmes), environment.folder, environment.tracer,
            now_utc_s=environment.now_utc_s, new_id=environment.new_id, jitter=environment.jitter,
        )  # fmt: skip
        return NetworkProgram(environment.reactor, smsc, (self.host, self.port))

    @override
    def person_at(self, ask: Ask, address: str) -> Person:
        from cluster.networks.smsc.person import Phone

        return Phone(ask, address)


def _numbers(name: str, network: Mapping[str, Any], gateways: Mapping[str, Any]) -> Iterator[Finding]:
    """Each number belongs to one phone or one gateway; no phone's number begins with a gateway's, which is a range."""
    ranges: dict[str, str] = {}
    for gateway, part in gateways.items():
        number = part.get("number", USUAL_NUMBER)
        if number in ranges:
            text = f"{ranges[number]} has the number {number} at {name} already; give each gateway its own"
            yield Finding(("gateways", gateway, "number"), text)
        elif isinstance(number, str):
            ranges[number] = gateway
    phones: dict[str, str] = {}
    for phone, number in items(network, "phones"):
        path = ("networks", name, "phones", phone)
        taken = next((start for start in ranges if isinstance(number, str) and number.startswith(start)), None)
        if taken is not None:
            text = f"{ranges[taken]} has the number {taken}, so that what is for {number} would come to it; change one"
            yield Finding(path, text)
        if number in phones:
            yield Finding(path, f"{phones[number]} has the number {number} already; give each phone its own")
        elif isinstance(number, str):
            phones[number] = phone


def _external(path: KeyPath, external: Mapping[str, Any]) -> Iterator[Finding]:
    for key, most in (("user", SMPP_USER), ("password", SMPP_PASSWORD)):
        value = external.get(key)
        if isinstance(value, str) and not _fits(value, most):
            text = f"SMPP carries at most {most} characters of Latin-1 here, and no U+0000; change it there"
            yield Finding((*path, key), text)
    if external.get("starttls"):
        yield Finding((*path, "starttls"), "only a mail host has starttls; delete this key", at_key=True)


def _esmes(gateways: Mapping[str, Any]) -> Iterator[Finding]:
    """At the lab's own message centre a gateway logs in with its name and its secret (`SmsGateway.login`)."""
    seen: dict[str, str] = {}
    for name, gateway in gateways.items():
        secret = gateway.get("secret")
        if isinstance(secret, str) and not _fits(secret[:SMPP_PASSWORD], SMPP_PASSWORD):
            text = f"its first {SMPP_PASSWORD} characters are its password in SMPP: Latin-1 without U+0000"
            yield Finding(("gateways", name, "secret"), f"{text}; choose another")
        first = seen.setdefault(name[:SMPP_USER], name)
        if first != name:
            text = f"in SMPP it is known by its first {SMPP_USER} characters, and so is {first}; rename one"
            yield Finding(("gateways", name), text, at_key=True)


def _fits(text: str, most: int) -> bool:
    """Whether it fits into a C-octet string of SMPP (section 3.1)."""
    return len(text) <= most and all("\0" < character <= "\xff" for character in text)


kind = MessageCentre
