"""The values of a topology file: names, domains and addresses, checked and prepared. Without pydantic, which is slow to
import: the processes of a lab know their kinds too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import idna

from cluster.xmpp.element import NOT_XML
from cluster.xmpp.jid import Jid, JidError, prepare_domainpart, prepare_localpart

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_RESERVED = "admin announce ca containers lock logs redis router setup sockets supervisor targets"
RESERVED_NAMES = frozenset(_RESERVED.split(" "))
"""Lab nodes, users of its Redis and files that exist without being named in the topology."""

MAX_DOMAIN_BYTES = 253
"""RFC 1035 section 2.3.4: 255 octets on the wire, with a length for each label."""

_IPV4 = re.compile(r"(\d{1,3}\.){3}\d{1,3}\.?", re.ASCII)

_NAME = r"^[a-z][a-z0-9-]{0,62}$"
"""Fits a folder, a log line and a DNS label."""


def check_name(text: str) -> str:
    """The name of a lab or of a node, unchanged. Raises ValueError."""
    if not re.fullmatch(_NAME, text):
        rule = "lowercase letters, digits and '-', a letter first, at most 63"
        raise ValueError(f"{text!r} is not a valid name; allowed: {rule}")
    return text


def _node_name(text: str) -> str:
    if text in RESERVED_NAMES:
        raise ValueError(f"{text!r} is reserved in every lab; give the server another name")
    return check_name(text)


def _domain(text: str) -> str:
    if "@" in text or "/" in text:
        raise ValueError(f"{text!r} is not a domain; write only the part after the '@', such as montague.lit")
    if text.startswith("[") or _IPV4.fullmatch(text):
        raise ValueError(f"{text!r} is an IP address, but certificates need a name; write one such as montague.lit")
    too_long = ValueError(f"this domain is longer than {MAX_DOMAIN_BYTES} bytes; write a shorter one")
    if len(text.encode(errors="surrogatepass")) > MAX_DOMAIN_BYTES:
        raise too_long
    try:
        domain = prepare_domainpart(text)
        ascii_bytes = len(idna.encode(domain, uts46=True))
    except (JidError, idna.IDNAError):
        raise ValueError(f"{text!r} is not a domain: {_why_no_domain(text)}; write one such as montague.lit") from None
    if max(ascii_bytes, len(domain.encode())) > MAX_DOMAIN_BYTES:
        raise too_long
    return domain


def _why_no_domain(text: str) -> str:
    labels = text.removesuffix(".").split(".")
    strange = next((character for character in text if not (character.isalnum() or character in "-.")), "")
    if strange:
        named = "a space" if strange.isspace() else repr(strange)
        return f"it contains {named}; a domain has letters, digits, '-' and dots"
    if "" in labels:
        return "it has an empty label (two dots in a row, or a dot at its start)"
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        return "a label may not begin or end with '-'"
    if any(len(label) > 63 for label in labels):
        return "a label has at most 63 characters"
    return "its characters may not be combined (RFC 5892)"


def _account_jid(text: str) -> str:
    localpart, at, domain = text.partition("@")
    if not at or not localpart or "/" in text:
        raise ValueError(f"{text!r} is not an account; write localpart@domain, such as romeo@montague.lit")
    try:
        return str(Jid(prepare_localpart(localpart), _domain(domain)))
    except JidError as error:
        raise ValueError(f"{text!r} is not an account: {error}; write one such as romeo@montague.lit") from None


def _xml_text(text: str) -> str:
    strange = NOT_XML.search(text)
    if strange:
        raise ValueError(f"U+{ord(strange[0]):04X} cannot be sent in XML; delete it")
    return text


@dataclass(frozen=True)
class Text:
    """A text of a certain form, for pydantic: `Annotated[str, Text(…)]`."""

    read: Callable[[str], str]
    """The normal form of the text. Raises ValueError with the remedy."""
    pattern: str = ""
    """The pattern for editors; empty: none."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), **({"pattern": self.pattern} if self.pattern else {})}


Name = Annotated[str, Text(check_name, _NAME)]
NodeName = Annotated[str, Text(_node_name, _NAME)]
Domain = Annotated[str, Text(_domain, "^[^@/ ]+$")]
"""Prepared (RFC 7622 section 3.2)."""
AccountJid = Annotated[str, Text(_account_jid, "^[^@/ ]+@[^@/ ]+$")]
"""A bare address with a localpart, prepared (RFC 7622)."""

XmlText = Annotated[str, Text(_xml_text)]


def prepared_domain(value: object) -> str | None:
    """The domain in a value of the file; None for a value of another form, which the model reports."""
    try:
        return _domain(value) if isinstance(value, str) else None
    except ValueError:
        return None


def prepared_account(value: object) -> str:
    """The account or mail address in a value of the file; a value of another form is unchanged."""
    try:
        return _account_jid(str(value))
    except ValueError:
        return str(value)


def sections(data: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The sections below this key of the file, without those of another form."""
    found = data.get(key)
    return {name: part for name, part in found.items() if isinstance(part, dict)} if isinstance(found, dict) else {}


def items(section: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    """The keys and values of a mapping within a section; none if it has another form."""
    found = section.get(key)
    return [*found.items()] if isinstance(found, dict) else []
