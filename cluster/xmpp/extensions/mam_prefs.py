"""Message Archiving Preferences (XEP-0441): whose messages an account or a room archives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast, get_args

import msgspec

from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import MAM

Default = Literal["always", "never", "roster"]
MAX_LISTED = 1_000
"""Addresses in the preferences of one archive; more are refused with `resource-constraint`."""
MAX_LIST_BYTES = 131_072
"""Of all these addresses."""


class Preferences(msgspec.Struct, frozen=True):
    """The preferences of an archive.

    `always` is the default, as in Prosody and ejabberd: a conversation with somebody who is not a contact, such as a
    phone or a mailbox, is then on each device. What strangers can fill has a bound, and a client may choose `roster`.
    """

    default: Default = "always"
    always: frozenset[Jid] = frozenset()
    never: frozenset[Jid] = frozenset()

    def keep(self, target: Jid, is_contact: Callable[[Jid], bool]) -> bool:
        """Whether messages to or from this address are archived (section 2.3); `never` wins over `always`.

        `is_contact` says whether a bare address is in the account's roster, and is asked only if that decides.
        """
        if self.never and not self.never.isdisjoint((target, target.bare)):
            return False
        if self.always and not self.always.isdisjoint((target, target.bare)):
            return True
        return is_contact(target.bare) if self.default == "roster" else self.default == "always"


def read(prefs: Element) -> Preferences:
    """Parse the `<prefs>`. Raises StanzaError; `resource-constraint` for a list that is too long."""
    default = prefs.get("default")
    if default not in get_args(Default):
        raise StanzaError(Condition.BAD_REQUEST, f"the default is one of {', '.join(get_args(Default))}")
    always, never = _jids(prefs, "always"), _jids(prefs, "never")
    if len(always) + len(never) > MAX_LISTED:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"at most {MAX_LISTED} addresses can be listed")
    if sum(len(str(jid).encode()) for jid in (*always, *never)) > MAX_LIST_BYTES:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"the addresses have at most {MAX_LIST_BYTES} bytes")
    return Preferences(cast("Default", default), always, never)


def _jids(prefs: Element, name: str) -> frozenset[Jid]:
    try:
        return frozenset(Jid.parse(jid.text or "") for jid in prefs.iterfind(f"{{{MAM}}}{name}/{{{MAM}}}jid"))
    except JidError as error:
        raise StanzaError(Condition.JID_MALFORMED, str(error)) from None


def to_element(preferences: Preferences) -> Element:
    """The `<prefs>` element."""
    prefs = Element(f"{{{MAM}}}prefs", default=preferences.default)
    for name, jids in (("always", preferences.always), ("never", preferences.never)):
        listed = SubElement(prefs, f"{{{MAM}}}{name}")
        for jid in sorted(jids):
            SubElement(listed, f"{{{MAM}}}jid").text = str(jid)
    return prefs
