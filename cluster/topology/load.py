"""From a file to a valid Topology, or to the list of everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cluster.kinds.base.finding import KeyPath, choice
from cluster.topology import document, references
from cluster.topology.model import Topology
from cluster.topology.problem import Problem, TopologyError

M = TypeVar("M", bound=BaseModel)


def load(path: Path, modules: Collection[str]) -> Topology:
    """Read and validate a topology file; `modules` are the server modules that there are (`cluster.modules.names()`).

    Raises TopologyError with all problems at once, those of the form and those of the references.
    """
    raw = document.read(path)
    topology, problems = validated(raw, Topology)
    for path_in_file, message, at_key in references.findings(raw.data, modules):
        problems.append(raw.problem(path_in_file, message, at_key=at_key))
    if problems or topology is None:
        raise TopologyError(problems)
    return topology


def validated(raw: document.Document, model: type[M]) -> tuple[M | None, list[Problem]]:
    """The file as the model has it, None where it does not fit; and all that is wrong with its form."""
    problems = list(raw.problems)
    try:
        return model.model_validate(raw.data), problems
    except ValidationError as error:
        return None, problems + [_problem(raw, details, model) for details in error.errors(include_url=False)]


MAX_SHOWN = 60
"""Characters of a wrong value in a message."""

_WRONG = {
    "int_type": "is not a whole number; write one such as 5",
    "bool_type": "is not a boolean; write true or false",
}


def _problem(raw: document.Document, details: ErrorDetails, model: type[BaseModel]) -> Problem:
    path = details["loc"]
    at_key = details["type"] in ("extra_forbidden", "missing", "union_tag_not_found")
    if path[-1:] == ("[key]",):  # pydantic's word for the key of a mapping, when that is what is wrong
        path, at_key = path[:-1], True
    steps, _ = _walk(path, model)
    if details["type"] == "union_tag_invalid":
        steps = (*steps, "kind")
    return raw.problem(steps, _message(details, path, model), at_key=at_key)


def _message(details: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    """What is wrong; what is allowed. In the words of YAML, where pydantic speaks of Python."""
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return _unknown(path, model)
        case "missing" | "union_tag_not_found":
            outer, key = (path[:-1], path[-1]) if details["type"] == "missing" else (path, "kind")
            return f"the key {key!r} is missing; allowed: {', '.join(_keys(outer, model))}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"{_shown(value)} where keys and values are expected{_listed(_keys(path, model))}"
        case "too_short":
            return f"must not be empty; write at least {context['min_length']}"
        case "list_type":
            return f"{_shown(value)} where a list is expected; write [first, second]"
        case "string_type" if isinstance(value, (dict, list)):
            return f"{_shown(value)} where text is expected"
        case "string_type":
            return f"{_shown(value)} is not text; put it in quotes if it is meant so"
        case "literal_error" | "union_tag_invalid":
            words = str(context.get("expected_tags") or context["expected"]).replace("'", "").replace(" or ", ", ")
            return f"{_shown(context.get('tag', value))} is not known; allowed: {words}"
        case "value_error":
            return str(context["error"])
    return f"{_shown(value)} {_rule(details)}"


def _rule(details: ErrorDetails) -> str:
    """Of a number, or of a value that is true or false."""
    kind, value = details["type"], details["input"]
    if kind in _WRONG and isinstance(value, str) and re.fullmatch(r"-?[0-9]+|true|false", value):
        return f"is text; write {value} without quotes"
    rule = re.sub(r"^\w+ should", "it should", details["msg"])
    return _WRONG.get(kind, f"is wrong; {rule}")


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "keys and values"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _listed(keys: tuple[str, ...]) -> str:
    return f"; allowed: {', '.join(keys)}" if keys else ""


def _unknown(path: KeyPath, model: type[BaseModel]) -> str:
    *outer, key = path
    others = [kind for kind, section in _kinds(_walk(path[:-2], model)[1]).items() if key in _fields(section)]
    if others:
        what = str(path[0]).removesuffix("s")
        return f"only a {what} of kind {' or '.join(others)} has {key}; delete this key"
    return f"unknown key{choice(str(key), _keys(tuple(outer), model))}"


def _keys(path: KeyPath, model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that the model allows in the mapping at this path; none where the file chooses its own."""
    _, kind = _walk(path, model)
    if sections := _kinds(kind):
        return tuple(dict.fromkeys(key for section in sections.values() for key in _fields(section)))
    return tuple(_fields(kind)) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _walk(path: KeyPath, model: type[BaseModel]) -> tuple[KeyPath, Any]:
    """The path as it is in the file, where pydantic's has the kind of a section after its name; and the type there."""
    kind: Any = model
    steps: list[str | int] = []
    for number, step in enumerate(path, 1):
        if kinds := _kinds(kind):
            kind = kinds[str(step)]
            continue
        steps.append(step)
        is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
        if is_section and step not in _fields(kind):
            return (*steps, *path[number:]), None  # an unknown key
        # a dict or a list: what it holds is the last of its type arguments
        kind = _fields(kind)[str(step)].annotation if is_section else get_args(kind)[-1]
        while get_origin(kind) in (Annotated, Union, UnionType) and not _kinds(kind):
            kind = get_args(kind)[0]
    return tuple(steps), kind


def _kinds(kind: Any) -> dict[str, type[BaseModel]]:
    """The sections of a union by their kinds; none where it is no such union."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    found = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
    if not all(isinstance(each, type) and issubclass(each, BaseModel) for each in found):
        return {}
    return {get_args(each.model_fields["kind"].annotation)[0]: each for each in found}


def _fields(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields by their keys in the file, which may be words of Python."""
    return {field.alias or name: field for name, field in section.model_fields.items()}
