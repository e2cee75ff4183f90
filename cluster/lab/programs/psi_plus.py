"""Psi+."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from cluster.lab.private import write_private
from cluster.lab.programs.base.ini import utf16
from cluster.lab.programs.base.program import ClientLogin, ClientProgram, Start

PROFILE = "default"
_OPTIONS = """<!DOCTYPE options>
<options version="1.4" xmlns="http://psi-im.org/options"><options>
<keychain><enabled type="bool">false</enabled></keychain>
<auto-update><check-on-startup type="bool">false</check-on-startup></auto-update>
<vcard><query-own-vcard-on-login type="bool">false</query-own-vcard-on-login></vcard>
<ui><tip><show type="bool">false</show></tip></ui>
</options></options>
"""
"""The password is in the profile, not in the user's keyring; nobody outside is asked, and the user is asked nothing."""


def prepare(profile: Path, login: ClientLogin) -> Start:
    """Its accounts are options in XML (src/profiles.cpp of 1.4)."""
    bare = str(login.jid.bare)
    account: dict[str, str | int | bool] = {
        "enabled": True,
        "auto": True,
        "name": bare,
        "jid": bare,
        "password": _encoded(login.password, bare),
        "automatic-resource": False,
        "resource": login.jid.resourcepart,
        "use-host": True,
        "host": login.host,
        "port": login.port,
        "ssl": "yes" if login.has_tls else "no",
        "allow-plain": "over encryped",
        "keep-alive": True,
        "reconn": True,
        "log": True,
    }
    root = Element("accounts", {"version": "1.4", "xmlns": "http://psi-im.org/options"})
    options = SubElement(SubElement(root, "accounts"), "a0")
    for name, value in account.items():
        kind = {bool: "bool", int: "int", str: "QString"}[type(value)]
        SubElement(options, name, type=kind).text = str(value).lower() if isinstance(value, bool) else str(value)
    folder = profile / "profiles" / PROFILE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "options.xml").exists():
        write_private(folder / "options.xml", _OPTIONS.encode())
    write_private(folder / "accounts.xml", b"<!DOCTYPE accounts>\n" + tostring(root))
    return Start([f"--profile={PROFILE}"], {"PSIDATADIR": str(profile)})


def _encoded(password: str, key: str) -> str:
    """As Psi writes it: each UTF-16 code exclusive-or one of the key, in hexadecimal (encodePassword in common.cpp)."""
    codes, keys = utf16(password), utf16(key)
    return "".join(f"{code ^ keys[at % len(keys)]:04x}" for at, code in enumerate(codes))


client = ClientProgram("psi-plus", ("psi-plus",), "psi-plus", True, prepare)
