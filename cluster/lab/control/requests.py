"""What may be asked of a part that runs, and the answers: JSON in Redis lists."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from cluster.lab.answers import MailView, TextView
from cluster.lab.state import NodeKind

REPLY_LIFETIME_S = 60
"""A reply that nobody fetched (the command was ended) goes away by itself."""

Answer_co = TypeVar("Answer_co", covariant=True)


class Request(msgspec.Struct, Generic[Answer_co], frozen=True, tag_field="verb", forbid_unknown_fields=True):
    """One request, and the type of its answer. Its tag names the operation of the part that answers it."""


class Status(Request[dict[str, Any]], frozen=True, tag="status"):
    """How the part is: `ready`, and what else its kind tells."""


class FollowAll(Request[None], frozen=True, tag="follow_all"):
    """Record the hops of each stanza that enters here, until then."""

    until_utc_s: float


class UserLs(Request[list[str]], frozen=True, tag="user_ls"):
    """The localparts of all accounts."""


class UserAdd(Request[None], frozen=True, tag="user_add"):
    """Make an account."""

    localpart: str
    password: str


class UserPasswd(Request[None], frozen=True, tag="user_passwd"):
    """Change the password of an account."""

    localpart: str
    password: str


class UserDel(Request[None], frozen=True, tag="user_del"):
    """Remove an account and all that belongs to it."""

    localpart: str


class FaultLs(Request[dict[str, Any]], frozen=True, tag="fault_ls"):
    """The faults of a foreign network."""


class FaultSet(Request[dict[str, Any]], frozen=True, tag="fault_set"):
    """Give a foreign network these faults, beside those that it has; the answer are all of them."""

    down: bool | msgspec.UnsetType = msgspec.UNSET
    delay_s: float | msgspec.UnsetType = msgspec.UNSET
    max_per_s: float | msgspec.UnsetType = msgspec.UNSET
    refuse: str | msgspec.UnsetType = msgspec.UNSET


class FaultClear(Request[None], frozen=True, tag="fault_clear"):
    """Take all faults from a foreign network."""


class PhoneLs(Request[list[dict[str, Any]]], frozen=True, tag="phone_ls"):
    """The phones of a message centre."""


class PhoneInbox(Request[list[TextView]], frozen=True, tag="phone_inbox"):
    """The texts of a phone, oldest first, without the first `after`."""

    number: str
    after: int = 0


class PhoneSend(Request[None], frozen=True, tag="phone_send"):
    """Send a text from a phone to a number, an address or a local name."""

    number: str
    to: str
    text: str
    trace_id: str = ""


class PhoneSwitch(Request[None], frozen=True, tag="phone_switch"):
    """Switch a phone on or off."""

    number: str
    on: bool


class MailboxLs(Request[list[dict[str, Any]]], frozen=True, tag="mailbox_ls"):
    """The mailboxes of a mail host."""


class Inbox(Request[list[MailView]], frozen=True, tag="inbox"):
    """The mails in a mailbox, oldest first, without the first `after`."""

    mailbox: str
    after: int = 0


class Send(Request[str], frozen=True, tag="send"):
    """Write a mail from a mailbox; the answer is its Message-ID."""

    sender: str
    to: str
    subject: str
    text: str
    trace_id: str = ""


class MailReply(Request[str], frozen=True, tag="reply"):
    """Answer a mail that is in a mailbox; the answer is the Message-ID. `to`: another address than the mail's own."""

    mailbox: str
    message_id: str
    text: str
    trace_id: str = ""
    to: str = ""


Requests = tuple[type[Request[Any]], ...]

_FAULTS: Requests = (FaultLs, FaultSet, FaultClear)
OF_KIND: dict[NodeKind, Requests] = {
    "server": (Status, FollowAll, UserLs, UserAdd, UserPasswd, UserDel),
    "sms": (Status,),
    "mail": (Status,),
    "smsc": (Status, *_FAULTS, PhoneLs, PhoneInbox, PhoneSend, PhoneSwitch),
    "mailhost": (Status, *_FAULTS, MailboxLs, Inbox, Send, MailReply),
}
"""What each kind of part answers."""


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


def verb_of(request: type[Request[Any]]) -> str:
    """The name of the operation that answers such requests."""
    return str(request.__struct_config__.tag)


def answer_type(request: Request[Answer_co]) -> Any:
    """The type of the answer to this request."""
    [base] = type(request).__orig_bases__  # type: ignore[attr-defined]
    return base.__args__[0]
