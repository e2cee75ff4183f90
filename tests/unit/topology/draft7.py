"""The part of JSON Schema draft 7 that the topology schema uses; a keyword it does not know is an error, so the
schema cannot silently grow one that editors do not know either."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
_SILENT = {"$schema", "definitions", "description", "default", "title"}

_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, name: isinstance(value, _TYPES[name]) and (name == "boolean") == isinstance(value, bool),
    "const": lambda value, word: value == word,
    "enum": lambda value, words: value in words,
    "pattern": lambda value, pattern: not isinstance(value, str) or bool(re.search(pattern, value)),
    "minimum": lambda value, least: not isinstance(value, int) or value >= least,
    "maximum": lambda value, most: not isinstance(value, int) or value <= most,
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "minProperties": lambda value, least: not isinstance(value, dict) or len(value) >= least,
}
"""Keywords that look at the value alone. What is of another type is no matter of theirs."""


def errors(value: object, schema: Schema, root: Schema, path: str = "") -> list[str]:
    """Every violation, with the path to it."""
    found: list[str] = []
    for keyword, argument in schema.items():
        if keyword not in _SILENT:
            found += _check(keyword, argument, value, schema, root, path)
    return found


def _check(keyword: str, argument: Any, value: Any, schema: Schema, root: Schema, path: str) -> list[str]:
    wrong = [f"{path or '/'}: {keyword} {argument!r}"]
    if keyword in _HOLDS:
        return [] if _HOLDS[keyword](value, argument) else wrong
    match keyword:
        case "$ref":
            return errors(value, root["definitions"][argument.removeprefix("#/definitions/")], root, path)
        case "anyOf":
            return [] if any(not errors(value, each, root, path) for each in argument) else wrong
        case "oneOf":
            if sum(not errors(value, each, root, path) for each in argument) == 1:
                return []
            meant = [each for each in argument if _is_meant(value, each, root)]
            return errors(value, meant[0], root, path) if len(meant) == 1 else wrong
        case "items":
            items = enumerate(value) if isinstance(value, list) else ()
            return [error for at, each in items for error in errors(each, argument, root, f"{path}/{at}")]
        case "required":
            return [f"{path}: no {key}" for key in argument if isinstance(value, dict) and key not in value]
        case "properties" | "patternProperties" | "additionalProperties":
            return _check_members(keyword, argument, value, schema, root, path) if isinstance(value, dict) else []
    raise AssertionError(f"{keyword} is not a draft 7 keyword that this schema has used before")


def _is_meant(value: Any, section: Schema, root: Schema) -> bool:
    """Of several sections editors show the mistakes of the one that has the value's `kind`."""
    properties = root["definitions"][section["$ref"].removeprefix("#/definitions/")]["properties"]
    kind = properties.get("kind", {})
    return isinstance(value, dict) and "const" in kind and value.get("kind", kind.get("default")) == kind["const"]


def _check_members(keyword: str, argument: Any, value: Any, schema: Schema, root: Schema, path: str) -> list[str]:
    found: list[str] = []
    for key, each in value.items():
        inner = f"{path}/{key}"
        patterns = [pattern for pattern in schema.get("patternProperties", {}) if re.search(pattern, key)]
        if keyword == "properties" and key in argument:
            found += errors(each, argument[key], root, inner)
        elif keyword == "patternProperties":
            found += [error for pattern in patterns for error in errors(each, argument[pattern], root, inner)]
        elif keyword == "additionalProperties" and key not in schema.get("properties", {}) and not patterns:
            found += [f"{inner}: unknown key"] if argument is False else errors(each, argument, root, inner)
    return found
