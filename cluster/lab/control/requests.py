"""Requests to a running node, and their answers: JSON in Redis lists."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from cluster.base.request import Answer_co, Request, Requests, Status

REPLY_LIFETIME_S = 60
"""A reply expires if the command that asked ended before it fetched the reply."""


ACCOUNTS_AT_ONCE = 100
"""In one request: its answer comes within seconds, also of a busy server."""
Localparts = Annotated[list[str], msgspec.Meta(max_length=ACCOUNTS_AT_ONCE)]
Level = Literal["debug", "info", "warning", "error"]


class LogLevel(Request[Level], frozen=True, tag="log_level"):
    """Log from this level on, until the process ends; the answer is the level before."""

    level: Level


PROCESS: Requests = (LogLevel,)
"""The requests that each process answers, whatever it runs."""


class Follow(Request[None], frozen=True, tag="follow"):
    """Record the hops of stanzas that enter here, until then."""

    until_utc_s: float
    address: str = ""
    """Only of what is from or to it, an account, one of its resources, or a domain, or has it as its id; empty: of
    all."""
    every: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Without an address: only one stanza in this number."""


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


class UsersAdd(Request[None], frozen=True, tag="users_add"):
    """Create several accounts with one password; existing ones keep theirs."""

    localparts: Localparts
    password: str


class UsersDel(Request[None], frozen=True, tag="users_del"):
    """Remove several accounts and their data; those that are gone are fine."""

    localparts: Localparts


class SessionLs(Request[list[dict[str, Any]]], frozen=True, tag="session_ls"):
    """The sessions at a node: `jid`, `state` and `priority` each."""

    localpart: str = ""
    """Only those of this account; empty: all."""


class SessionEnd(Request[bool], frozen=True, tag="session_end"):
    """End a session; False if it is not at this node."""

    localpart: str
    resource: str


SERVER: Requests = (Status, Follow, UserLs, UserAdd, UserPasswd, UserDel, UsersAdd, UsersDel, SessionLs, SessionEnd)
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
