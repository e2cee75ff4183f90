"""Sections of the topology file that are made of the keys that a kind declares (cluster/kinds)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_origin

from pydantic import Field, create_model

from cluster.kinds.base.key import Key
from cluster.topology.strict import OrEmpty, Section


def section(
    kind: type[Any], base: type[Section], keys: Iterable[Key], usual: str | None = None, **others: Any
) -> type[Section]:
    """The section of one kind of nodes.

    `usual`: the kind that is meant where none is written; `others`: further fields.
    """
    word = kind.__struct_config__.tag
    what: dict[str, Any] = {"default": word} if word == usual else {}
    own = {"kind": (_literal(word), Field(description="What it is.", **what)), **others, **fields(keys)}
    return create_model(kind.__name__, __base__=base, __doc__=kind.about, **own)


def fields(keys: Iterable[Key]) -> dict[str, Any]:
    """These keys as fields of a model."""
    return {key.name: _field(key) for key in keys}


def written(part: Section, keys: Iterable[Key]) -> dict[str, Any]:
    """What a section says for these keys."""
    return {key.name: getattr(part, key.name) for key in keys}


def _literal(word: str) -> Any:
    return Literal[word]


def _field(key: Key) -> Any:
    container = get_origin(key.type)
    type_ = Annotated[key.type, OrEmpty(container)] if container in (list, dict) else key.type
    return type_, Field(default=key.default, description=key.meaning)
