"""The configuration form of a room, field by field (XEP-0045 sections 10.1.3 and 16.5.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from cluster.services.rooms.history import MAX_MESSAGES
from cluster.services.rooms.privileges import ADMIN, OWNER
from cluster.services.rooms.room import Room
from cluster.services.rooms.settings import MAX_TEXT
from cluster.store.rooms import Role, RoomSettings
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA, Values
from cluster.xmpp.extensions.muc import CONFIG
from cluster.xmpp.jid import Jid, JidError

OWNERS, ADMINS = "muc#roomconfig_roomowners", "muc#roomconfig_roomadmins"
_PASSWORD_NEEDED, _PASSWORD = "muc#roomconfig_passwordprotectedroom", "muc#roomconfig_roomsecret"
_ROLES = {role.word: role for role in (Role.MODERATOR, Role.PARTICIPANT, Role.VISITOR)}


class Field(NamedTuple):
    """One field, and the setting that it shows."""

    name: str
    kind: str
    label: str
    setting: str
    read: Callable[[str, list[str]], Any]
    """Computes the setting from the field's name and values. Raises StanzaError."""
    write: Callable[[Any], list[str]]
    options: Mapping[str, str] = {}
    """Labels by values."""


def _refused(name: str, values: list[str]) -> StanzaError:
    said = ", ".join(values)[:100]
    return StanzaError(Condition.NOT_ACCEPTABLE, f"{name} cannot be {said!r}")


def _text(name: str, values: list[str]) -> str:
    text = "\n".join(values)
    if len(text) > MAX_TEXT:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"{name} has at most {MAX_TEXT} characters")
    return text


def _node(name: str, values: list[str]) -> str:
    """An XMPP URI (RFC 5122) with the address of a service, and in its query the name of a node; or nothing."""
    uri = _text(name, values).strip()
    scheme, _, rest = uri.partition(":")
    address, _, query = rest.partition("?")
    if not uri:
        return ""
    try:
        Jid.parse(unquote(address))
    except JidError:
        raise _refused(name, values) from None
    if scheme.lower() != "xmpp" or ";node=" not in query:
        raise _refused(name, values)
    return uri


def _flag(name: str, values: list[str]) -> bool:
    if "".join(values).strip() not in ("0", "1", "false", "true"):
        raise _refused(name, values)
    return data_form.is_true(values)


def _choice(*allowed: str) -> Callable[[str, list[str]], str]:
    def read(name: str, values: list[str]) -> str:
        if len(values) != 1 or values[0] not in allowed:
            raise _refused(name, values)
        return values[0]

    return read


def _roles(name: str, values: list[str]) -> frozenset[Role]:
    if not set(values) <= _ROLES.keys():
        raise _refused(name, values)
    return frozenset(_ROLES[value] for value in values)


def _number(most: int) -> Callable[[str, list[str]], int]:
    def read(name: str, values: list[str]) -> int:
        text = "".join(values).strip()
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"{name} is a number of at most {most}")
        return int(text)

    return read


def _occupants(name: str, values: list[str]) -> int:
    return 0 if values in (["none"], [""], []) else _number(10**9)(name, values)


def _written(value: Any) -> list[str]:
    return [str(value)] if value != "" else []


def _written_flag(value: bool) -> list[str]:
    return ["1" if value else "0"]


def _written_roles(value: frozenset[Role]) -> list[str]:
    return [word for word, role in _ROLES.items() if role in value]


_ROLE_LABELS = {word: word.capitalize() for word in _ROLES}
_SENDERS = {
    "anyone": "Anyone", "participants": "Anyone with voice", "moderators": "Moderators only", "none": "Nobody",
}  # fmt: skip
_WHOIS = {"moderators": "Moderators only", "anyone": "Anyone"}


def _flag_field(name: str, label: str, setting: str) -> Field:
    return Field(f"muc#roomconfig_{name}", "boolean", label, setting, _flag, _written_flag)


def _text_field(name: str, label: str, setting: str) -> Field:
    return Field(f"muc#roomconfig_{name}", "text-single", label, setting, _text, _written)


FIELDS = (
    _text_field("roomname", "Name", "title"),
    _text_field("roomdesc", "Description", "description"),
    _text_field("lang", "Language (RFC 5646)", "lang"),
    Field("muc#roomconfig_pubsub", "text-single", "Publish-subscribe node of the room (xmpp:SERVICE?;node=NAME)",
          "pubsub_node", _node, _written),
    _flag_field("persistentroom", "The room stays when nobody is in it", "is_persistent"),
    _flag_field("publicroom", "The service lists the room", "is_public"),
    _flag_field("membersonly", "Only members may enter", "is_members_only"),
    _flag_field("moderatedroom", "Only those with voice may speak", "is_moderated"),
    _flag_field("changesubject", "Participants may change the subject", "subject_is_free"),
    _flag_field("allowinvites", "Members may invite others, who become members", "members_may_invite"),
    _flag_field("enablelogging", "What is said can be read later", "is_archived"),
    Field("muc#roomconfig_allowpm", "list-single", "Who may send private messages", "private_messages",
          _choice(*_SENDERS), _written, _SENDERS),
    Field("muc#roomconfig_whois", "list-single", "Who sees real addresses", "whois",
          _choice(*_WHOIS), _written, _WHOIS),
    Field("muc#roomconfig_presencebroadcast", "list-multi", "Whose presence the others get", "presence_of",
          _roles, _written_roles, _ROLE_LABELS),
    Field("muc#roomconfig_getmemberlist", "list-multi", "Who may see the list of members", "member_list_for",
          _roles, _written_roles, _ROLE_LABELS),
    Field("muc#roomconfig_maxusers", "text-single", "Most clients in the room (0: as many as the service allows)",
          "max_occupants", _occupants, _written),
    Field("muc#maxhistoryfetch", "text-single", f"Most messages of history for who enters (to {MAX_MESSAGES})",
          "history_messages", _number(MAX_MESSAGES), _written),
)  # fmt: skip
"""The fields of all settings except the password, which has two; owners and admins have fields of their own."""


def form(room: Room) -> Element:
    """The form with the present settings (section 10.2)."""
    made = data_form.new("form", CONFIG, "How the room is to be; a field that is left out stays as it is.")
    settings = room.settings
    for each in FIELDS:
        field = data_form.add(made, each.name, each.kind, each.write(getattr(settings, each.setting)), each.label)
        for value, label in each.options.items():
            option = SubElement(field, f"{{{DATA}}}option", label=label)
            SubElement(option, f"{{{DATA}}}value").text = value
    needed = _written_flag(bool(settings.password))
    data_form.add(made, _PASSWORD_NEEDED, "boolean", needed, "A password is needed to enter")
    data_form.add(made, _PASSWORD, "text-private", _written(settings.password), "Password")
    for name, affiliation, label in ((ADMINS, ADMIN, "Admins"), (OWNERS, OWNER, "Owners")):
        jids = [str(jid) for jid, _ in room.with_affiliation(affiliation)]
        data_form.add(made, name, "jid-multi", jids, label)
    return made


def read(values: Values, settings: RoomSettings, max_occupants: int) -> RoomSettings:
    """The present settings with the changes of the form; unknown fields are ignored. Raises StanzaError.

    `max_occupants`: the maximum of the service.
    """
    asked = {each.setting: each.read(each.name, values[each.name]) for each in FIELDS if each.name in values}
    if asked.get("max_occupants", 0) > max_occupants:
        text = f"muc#roomconfig_maxusers is at most {max_occupants} here"
        raise StanzaError(Condition.NOT_ACCEPTABLE, text)
    return msgspec.structs.replace(settings, password=_read_password(values, settings.password), **asked)


def _read_password(values: Values, before: str) -> str:
    password = _text(_PASSWORD, values[_PASSWORD]) if _PASSWORD in values else before
    if _PASSWORD_NEEDED not in values:
        return password
    if not _flag(_PASSWORD_NEEDED, values[_PASSWORD_NEEDED]):
        return ""
    if not password:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "a room that needs a password has one that is not empty")
    return password
