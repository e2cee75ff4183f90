"""What is asked of a part of a lab that runs: a tagged struct for each request, which knows the type of its answer."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

Answer_co = TypeVar("Answer_co", covariant=True)


class Refused(Exception):
    """A part did not do what it was asked for, or did not answer; the message says why, and names the remedy."""


class Request(msgspec.Struct, Generic[Answer_co], frozen=True, tag_field="verb", forbid_unknown_fields=True):
    """One request, and the type of its answer. Its tag names the operation of the part that answers it."""


class Status(Request[dict[str, Any]], frozen=True, tag="status"):
    """How the part is: `ready`, and what else its kind tells."""


Requests = tuple[type[Request[Any]], ...]


def verb_of(request: type[Request[Any]]) -> str:
    """The name of the operation that answers such requests."""
    return str(request.__struct_config__.tag)


def answer_type(request: Request[Answer_co]) -> Any:
    """The type of the answer to this request."""
    [base] = type(request).__orig_bases__  # type: ignore[attr-defined]
    return base.__args__[0]
