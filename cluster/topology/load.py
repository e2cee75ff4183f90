"""From a file to a valid Topology, or to the list of everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cluster.topology import document, references
from cluster.topology.model import Topology
from cluster.topology.problem import KeyPath, Problem, TopologyError, choice


def load(path: Path, modules: Collection[str]) -> Topology:
    """Read and validate a topology file; `modules` are the server modules that there are (`cluster.modules.names()`).

    Raises TopologyError with all problems at once, those of the form and those of the references.
    """
    raw = document.read(path)
    problems = list(raw.problems)
    topology = None
    try:
        topology = Topology.model_validate(raw.data)
    except ValidationError as error:
        problems += [_problem(raw, details) for details in error.errors(include_url=False)]
    for path_in_file, message, at_key in references.findings(raw.data, modules):
        problems.append(raw.problem(path_in_file, message, at_key=at_key))
    if problems or topology is None:
        raise TopologyError(problems)
    return topology


def _problem(raw: document.Document, details: ErrorDetails) -> Problem:
    path = details["loc"]
    at_key = details["type"] in ("extra_forbidden", "missing")
    if path[-1:] == ("[key]",):  # pydantic's word for the key of a mapping, when that is what is wrong
        path, at_key = path[:-1], True
    return raw.problem(path, _message(details, path), at_key=at_key)


def _message(details: ErrorDetails, path: KeyPath) -> str:
    """What is wrong; what is allowed. In the words of YAML, where pydantic speaks of Python."""
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return f"unknown key{choice(str(path[-1]), _keys(path[:-1]))}"
        case "missing":
            return f"the key {path[-1]!r} is missing; allowed: {', '.join(_keys(path[:-1]))}"
        case "model_type" | "dict_type":
            return f"{_shown(value)} where keys and values are expected{_listed(_keys(path))}"
        case "too_short":
            return f"this is empty; write at least {context['min_length']}"
        case "list_type":
            return f"{_shown(value)} where a list is expected; write [first, second]"
        case "string_type" if isinstance(value, (dict, list)):
            return f"{_shown(value)} where text is expected"
        case "string_type":
            return f"{_shown(value)} is not text; put it in quotes if it is meant so"
        case "literal_error":
            words = context["expected"].replace("'", "").replace(" or ", ", ")
            return f"{_shown(value)} is not known; allowed: {words}"
        case "value_error":
            return str(context["error"])
    rule = re.sub(r"^\w+ should", "it should", details["msg"])
    return f"{_shown(value)} is wrong; {rule}"


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
    return repr(value)


def _listed(keys: tuple[str, ...]) -> str:
    return f"; allowed: {', '.join(keys)}" if keys else ""


def _keys(path: KeyPath) -> tuple[str, ...]:
    """The keys that the model allows in the mapping at this path; none where the file chooses its own."""
    kind: Any = Topology
    for step in path:
        is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
        # a dict or a list: what it holds is the last of its type arguments
        kind = kind.model_fields[str(step)].annotation if is_section else get_args(kind)[-1]
        while get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
    return tuple(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()
