"""What all sections of a topology file are made of: names, addresses, and mappings that allow no other keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from cluster.xmpp.jid import Jid

RESERVED_NAMES = frozenset({"router", "redis", "supervisor", "ca", "setup", "announce"})
"""Lab nodes and files that are there without being written."""

_NAME = r"^[a-z][a-z0-9-]{0,62}$"
"""Fits a folder, a log line and a DNS label."""


def _name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        rule = "lowercase letters, digits and '-', a letter first, at most 63"
        raise ValueError(f"{text!r} is no name; allowed: {rule}")
    return text


def _node_name(text: str) -> str:
    if text in RESERVED_NAMES:
        raise ValueError(f"{text!r} is a part of every lab; give the server another name")
    return _name(text)


def _domain(text: str) -> str:
    jid = Jid.parse(text)
    if jid.localpart or jid.resourcepart:
        raise ValueError(f"{text!r} is no domain; write only what stands behind the '@', such as montague.lit")
    return jid.domainpart


def _account_jid(text: str) -> str:
    jid = Jid.parse(text)
    if not jid.localpart or jid.resourcepart:
        raise ValueError(f"{text!r} is no account; write localpart@domain, such as romeo@montague.lit")
    return str(jid)


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": _NAME})]
NodeName = Annotated[str, AfterValidator(_node_name), WithJsonSchema({"type": "string", "pattern": _NAME})]
Domain = Annotated[str, AfterValidator(_domain), WithJsonSchema({"type": "string", "pattern": "^[^@/ ]+$"})]
"""Prepared (RFC 7622 section 3.2)."""
AccountJid = Annotated[
    str, AfterValidator(_account_jid), WithJsonSchema({"type": "string", "pattern": "^[^@/ ]+@[^@/ ]+$"})
]
"""A bare address with a localpart, prepared (RFC 7622)."""


@dataclass(frozen=True)
class OrEmpty:
    """A key with nothing behind it holds an empty mapping or list, as in `juliet@capulet.lit:`."""

    empty: Callable[[], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: self.empty() if value is None else value, handler(source)
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"type": "null"}]}


class Section(BaseModel):
    """A mapping of the file: only the keys named here, and no value turned from one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)
