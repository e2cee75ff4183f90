"""Requests to a running node, and their answers: JSON in Redis lists."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.base.request import Answer_co, Request, Requests, Status

REPLY_LIFETIME_S = 60
"""A reply expires if the command that asked ended before it fetched the reply."""


class Follow(Request[None], frozen=True, tag="follow"):
    """Record the hops of each stanza that enters here, until then."""

    until_utc_s: float
    address: str = ""
    """Only of what is from or to it: an account, one of its resources, or a domain; empty: of all."""


class UserLs(Request[list[str]], frozen=True, tag="user_ls"):
    """The localparts of all accounts."""


class UserAdd(Request[None], frozen=True, tag="user_add"):
    """Create an account."""

    localpart: str
    password: str


class UserPasswd(Request[None], frozen=True, tag="user_passwd"):
    """Change the password of an account."""

    localpart: str
    password: str


class UserDel(Request[None], frozen=True, tag="user_del"):
    """Remove an account and its data."""

    localpart: str


SERVER: Requests = (Status, Follow, UserLs, UserAdd, UserPasswd, UserDel)
"""The requests that a server answers."""


class Envelope(msgspec.Struct, frozen=True):
    """A request on its way, possibly of another version."""

    id: str
    verb: str
    args: dict[str, Any] = {}

    def opened(self, request: type[Request[Answer_co]]) -> Request[Answer_co]:
        """The request. Raises msgspec.ValidationError if it has other fields."""
        return msgspec.convert({**self.args, "verb": self.verb}, request)


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer, or the error."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


def encoded(id: str, request: Request[Any]) -> bytes:
    """The encoded request; `id` is that of its reply."""
    args = msgspec.to_builtins(request)
    return msgspec.json.encode(Envelope(id, args.pop("verb"), args))
