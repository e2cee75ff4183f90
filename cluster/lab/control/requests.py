"""What may be asked of a part that runs, and the answers: JSON in Redis lists."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.base.request import Answer_co, Request, Requests, Status

REPLY_LIFETIME_S = 60
"""A reply expires where the command that asked was ended before it fetched it."""


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
"""What a server of ours answers."""


class Envelope(msgspec.Struct, frozen=True):
    """A request on its way, also one of another version."""

    id: str
    verb: str
    args: dict[str, Any] = {}

    def opened(self, request: type[Request[Answer_co]]) -> Request[Answer_co]:
        """The request. Raises msgspec.ValidationError where it has other fields."""
        return msgspec.convert({**self.args, "verb": self.verb}, request)


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer, or why there is none."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


def encoded(id: str, request: Request[Any]) -> bytes:
    """The request as it is sent; its reply is awaited by this id."""
    args = msgspec.to_builtins(request)
    return msgspec.json.encode(Envelope(id, args.pop("verb"), args))
