"""The JSON Schema of the topology file and the key tables of its reference, both made from the model.

`python -m cluster.topology.schema` writes docs/topology.schema.json and the tables in docs/topology.md; a unit test
fails while they are not fresh.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from cluster.topology import reference
from cluster.topology.model import Topology
from cluster.topology.strict import Section

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = DOCS / "topology.schema.json"
REFERENCE = DOCS / "topology.md"

Schema = dict[str, Any]


class _Draft7(GenerateJsonSchema):
    """Pydantic writes draft 2020-12; yaml-language-server reads draft 7 and older."""

    schema_dialect = "http://json-schema.org/draft-07/schema#"


def schema(model: type[Section] = Topology, title: str = "xmpplab topology") -> Schema:
    """The JSON Schema (draft 7) of a topology file, or of another file that is read as strictly."""
    made = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_Draft7)
    definitions = {name: _tidied(part) for name, part in made.pop("$defs").items()}
    top = {"$schema": _Draft7.schema_dialect, **_tidied(made), "title": title}
    return {**top, "definitions": definitions}


def text(made: Schema) -> str:
    """What stands in a file such as docs/topology.schema.json."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _tidied(part: Schema) -> Schema:
    """One schema and those in it as draft 7 means them, without what editors would show as noise."""
    tidy: Schema = {}
    for word, value in part.items():
        match word:
            case "title" | "discriminator":
                continue  # "C2S Port" says nothing that `c2s_port` does not; the other is no word of JSON Schema
            case "default" if not isinstance(value, (str, int)):
                continue  # an empty section or list: nothing to complete
            case "description":
                tidy[word] = " ".join(value.split())
            case "properties" | "patternProperties":
                tidy[word] = {key: _tidied(each) for key, each in value.items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                tidy[word] = _tidied(value)
            case "anyOf" | "oneOf":
                tidy[word] = [_tidied(each) for each in value]
            case _:
                tidy[word] = value
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    if "$ref" in tidy and len(tidy) > 1:
        tidy["allOf"] = [{"$ref": tidy.pop("$ref")}]  # draft 7 ignores everything beside a $ref
    return tidy


def main() -> None:
    """Write both files."""
    SCHEMA.write_text(text(schema()), encoding="utf-8")
    page = REFERENCE.read_text(encoding="utf-8")
    REFERENCE.write_text(reference.updated(page, schema()), encoding="utf-8")


if __name__ == "__main__":
    main()
