"""The mappings of a file that is read strictly: only the keys that are named, and no value turned into another type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class OrEmpty:
    """A key without a value holds an empty mapping or list, as in `juliet@capulet.lit:`."""

    empty: Callable[[], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: self.empty() if value is None else value, handler(source)
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"type": "null"}]}


class Section(BaseModel):
    """A mapping of the file: only the keys named here, and no value turned from one type into another."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        defer_build=True,  # the outermost one builds all, where any is used
    )


def derived(base: type[Section], name: str, about: str, **fields: Any) -> type[Section]:
    """A section that has these fields too, each described where it is declared.

    Without docstrings to read: pydantic would look for the source of such a class in all that has been imported.
    """
    return create_model(
        name, __base__=base, __doc__=about, __cls_kwargs__={"use_attribute_docstrings": False}, **fields
    )
