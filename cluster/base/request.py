"""Requests to a running part of a lab: a tagged struct for each, which knows the type of its answer."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

Answer_co = TypeVar("Answer_co", covariant=True)


class Refused(Exception):
    """A part refused a request or did not answer it; the message says why, and names the remedy."""


class Request(msgspec.Struct, Generic[Answer_co], frozen=True, tag_field="verb", forbid_unknown_fields=True):
    """One request, and the type of its answer. Its tag names the operation that answers it."""


class Status(Request[dict[str, Any]], frozen=True, tag="status"):
    """The state of the part: `ready`, and what else its kind reports."""


Requests = tuple[type[Request[Any]], ...]


def verb_of(request: type[Request[Any]]) -> str:
    """The name of the operation that answers such requests."""
    return str(request.__struct_config__.tag)


def answer_type(request: Request[Answer_co]) -> Any:
    """The type of the answer to this request."""
    [base] = type(request).__orig_bases__  # type: ignore[attr-defined]
    return base.__args__[0]
