"""Sections of the topology file with the keys that a kind declares (cluster/kinds)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_origin

from pydantic import Field

from cluster.kinds.base.key import Key, Sections
from cluster.topology.strict import OrEmpty, Section, derived


def section(
    kind: type[Any], base: type[Section], keys: Iterable[Key], usual: str | None = None, **others: Any
) -> type[Section]:
    """The section of one kind of nodes. `usual`: the kind of a section that names none; `others`: further fields."""
    word = kind.__struct_config__.tag
    what: dict[str, Any] = {"default": word} if word == usual else {}
    own = {"kind": (_literal(word), Field(description="What it is.", **what)), **others, **fields(keys)}
    return derived(base, kind.__name__, kind.about, **own)


def fields(keys: Iterable[Key]) -> dict[str, Any]:
    """These keys as fields of a model."""
    return {key.name: _field(key) for key in keys}


def written(part: Section, keys: Iterable[Key]) -> dict[str, Any]:
    """The values of these keys in a section."""
    return {key.name: _value(getattr(part, key.name), key.type) for key in keys}


def _value(value: Any, type_: Any) -> Any:
    if not isinstance(type_, Sections):
        return value
    return {name: written(part, type_.keys) for name, part in value.items()}


def _literal(word: str) -> Any:
    return Literal[word]


def _field(key: Key) -> Any:
    if isinstance(key.type, Sections):
        model = derived(Section, key.type.name, key.type.about, **fields(key.type.keys))
        parts = dict[key.type.named, Annotated[model, OrEmpty(dict)]]  # type: ignore[valid-type, name-defined]
        return Annotated[parts, OrEmpty(dict)], Field(default=key.default, description=key.meaning)
    container = get_origin(key.type)
    type_ = Annotated[key.type, OrEmpty(container)] if container in (list, dict) else key.type
    return type_, Field(default=key.default, description=key.meaning)
