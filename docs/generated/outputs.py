"""The JSON that commands print: docs/json.md and its schema."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cluster.cli.documents import DOCUMENTS
from docs.generated.markdown import described, table


def output_schema() -> dict[str, Any]:
    """Of the JSON that commands print: one definition for each command, `ps` or `user ls`, and those of its parts."""
    made, parts = msgspec.json.schema_components(DOCUMENTS.values(), ref_template="#/$defs/{name}")
    for name, part in parts.items():
        if "description" in part:  # before msgspec 0.23 it was indented as in the source
            part["description"] = inspect.cleandoc(part["description"])
        for key, text in _meanings(_STRUCTS[name]).items():
            if text:
                part["properties"][key] = {**part["properties"][key], "description": text}
    definitions = {**dict(zip(DOCUMENTS, made, strict=True)), **parts}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "xmpplab output", "$defs": definitions}


def _structs(types: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """All classes of which the documents are made, by name."""
    for type_ in msgspec.inspect.multi_type_info(types):
        yield from _classes_in(type_)


def _classes_in(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, msgspec.inspect.StructType | msgspec.inspect.EnumType):
        yield part.cls.__name__, part.cls
    for field in getattr(part, "fields", ()):
        yield from _classes_in(field.type)
    for name in ("item_type", "value_type"):
        if hasattr(part, name):
            yield from _classes_in(getattr(part, name))
    for choice in getattr(part, "types", ()):
        yield from _classes_in(choice)


_STRUCTS = dict(_structs(DOCUMENTS.values()))


def _meanings(kind: Any) -> dict[str, str]:
    """What the docstrings of its fields say, by their names in JSON."""
    if not issubclass(kind, msgspec.Struct):
        return {}
    texts: dict[str, str] = {}
    for part in kind.__mro__[kind.__mro__.index(msgspec.Struct) - 1 :: -1]:
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        assert isinstance(tree, ast.ClassDef)
        texts |= dict(described(tree.body))
    return {field.encode_name: texts.get(field.name, "") for field in msgspec.structs.fields(kind)}


def outputs() -> str:
    """What each command prints, and the fields of all that is in it."""
    found = output_schema()["$defs"]
    commands = [[f"`xmpplab {name}`", _form(found[name])] for name in DOCUMENTS]
    parts = [table(["command", "prints"], commands)]
    for name in sorted(_STRUCTS):
        if properties := found[name].get("properties"):
            rows = [[f"`{key}`", _form(form), form.get("description", "")] for key, form in properties.items()]
            about = " ".join(found[name].get("description", "").split())
            parts += [f"### {name}", about, table(["field", "type", "meaning"], rows)]
    return "\n\n".join(part for part in parts if part)


def _form(schema: dict[str, Any]) -> str:
    """A type in words."""
    match schema:
        case {"$ref": where}:
            name = where.rpartition("/")[2]
            return name if "properties" not in schema and issubclass(_STRUCTS[name], msgspec.Struct) else "string"
        case {"anyOf": choices}:
            return " or ".join(map(_form, choices))
        case {"enum": words}:
            return ", ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": {} as items} if items:
            return f"list of {_form(items)}"
        case {"type": "object", "additionalProperties": {} as values} if values:
            return f"object with {_form(values)} by name"
        case {"type": str(kind)}:
            return {"array": "list", "null": "null"}.get(kind, kind)
    return "anything"
