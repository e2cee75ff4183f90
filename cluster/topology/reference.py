"""The key tables of docs/topology.md, from the JSON Schema of the topology file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

BEGIN = "<!-- keys: written by `python -m cluster.topology.schema`; do not edit -->"
END = "<!-- end of the keys -->"

Schema = dict[str, Any]


def updated(page: str, schema: Schema) -> str:
    """The page with fresh tables between the two markers. Raises ValueError where a marker is not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"docs/topology.md needs the lines {BEGIN!r} and {END!r}: the tables go between them")
    return f"{before}{BEGIN}\n\n{tables(schema)}\n{END}{after}"


def tables(schema: Schema) -> str:
    """A table for each kind of mapping, from the outside in."""
    definitions: dict[str, Schema] = schema["definitions"]
    parts = [_table("Top level", schema)]
    seen: set[str] = set()
    for place, name in _places(schema, "", definitions):
        if name not in seen:  # elsewhere it is the same
            seen.add(name)
            parts.append(_table(_heading(place, definitions[name]), definitions[name]))
    return "\n".join(parts)


def _places(part: Schema, place: str, definitions: dict[str, Schema]) -> Iterator[tuple[str, str]]:
    """Where each definition is used: (`servers.<name>`, `Server`)."""
    if name := str(part.get("$ref", "")).rpartition("/")[2]:
        yield place, name
        yield from _places(definitions[name], place, definitions)
    for key, value in part.get("properties", {}).items():
        yield from _places(value, f"{place}.{key}".removeprefix("."), definitions)
    for values in (*part.get("patternProperties", {}).values(), part.get("additionalProperties")):
        if isinstance(values, dict):
            yield from _places(values, f"{place}.<{_key_word(place)}>", definitions)
    if "items" in part:
        yield from _places(part["items"], f"{place}[]", definitions)
    for choice in (*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("allOf", ())):
        yield from _places(choice, place, definitions)


def _heading(place: str, section: Schema) -> str:
    kind = section["properties"].get("kind", {}).get("const")
    return f"`{place}` of kind `{kind}`" if kind else f"`{place}`"


def _key_word(place: str) -> str:
    return "address" if place == "accounts" else "name"


def _table(heading: str, section: Schema) -> str:
    lines = [
        f"### {heading}",
        "",
        section["description"],
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    required = section.get("required", ())
    for key in sorted(section["properties"], key=lambda key: key not in required):
        value = section["properties"][key]
        default = "required" if key in required else _default(value)
        lines.append(f"| `{key}` | {_kind(value)} | {default} | {value['description']} |")
    return "\n".join(lines) + "\n"


def _default(value: Schema) -> str:
    if "default" not in value:
        return ""
    default = value["default"]
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default != "" else '`""`'


def _kind(value: Schema) -> str:
    """The possible values of the key, in a few words."""
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"])
    if "anyOf" in value or "allOf" in value:
        kinds = [_kind(each) for each in (*value.get("anyOf", ()), *value.get("allOf", ()))]
        return " or ".join(kind for kind in kinds if kind != "nothing")
    match value.get("type", "object"):
        case "string":
            return "text"
        case "number":
            return "a number"
        case "boolean":
            return "`true` or `false`"
        case "integer":
            most = f" to {value['maximum']}" if "maximum" in value else " or more"
            return f"{value['minimum']}{most}"
        case "array":
            return f"list of: {_kind(value['items'])}"
        case "null":
            return "nothing"
    return "mapping"
