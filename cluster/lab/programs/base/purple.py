"""The account file of libpurple, which Pidgin and Finch share."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from cluster.lab.private import write_private
from cluster.lab.programs.base.program import ClientLogin, Start


def prepare(profile: Path, login: ClientLogin, interface: str) -> Start:
    """Write accounts.xml (libpurple/account.c). `interface`: the user interface that logs the account in."""
    accounts = Element("account", version="1.0")
    account = SubElement(accounts, "account")
    SubElement(account, "protocol").text = "prpl-jabber"
    SubElement(account, "name").text = str(login.jid)
    SubElement(account, "password").text = login.password
    _settings(account, {
        "connect_server": login.host,
        "port": login.port,
        "connection_security": "require_tls" if login.has_tls else "opportunistic_tls",
    })  # fmt: skip
    _settings(account, {"auto-login": True}, ui=interface)
    document = b"<?xml version='1.0' encoding='UTF-8' ?>\n" + tostring(accounts)
    write_private(profile / "accounts.xml", document)
    return Start(["--config", str(profile)])


def _settings(account: Element, values: dict[str, str | int | bool], **attributes: str) -> None:
    settings = SubElement(account, "settings", attributes)
    for name, value in values.items():
        kind = {bool: "bool", int: "int", str: "string"}[type(value)]
        text = value if isinstance(value, str) else str(int(value))
        SubElement(settings, "setting", name=name, type=kind).text = text
