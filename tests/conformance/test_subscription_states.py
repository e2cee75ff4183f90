"""RFC 6121 Appendix A: nine states, four types, both directions; between two domains, seen by both sides."""

from __future__ import annotations

import pytest

from tests.conformance.rules import im
from tests.conformance.site import Client, Site, presences, subscribe

TYPES = ("subscribe", "unsubscribe", "subscribed", "unsubscribed")
State = str
"""`subscription/pending`: see STATES."""

STATES = ("none/", "none/out", "none/in", "none/outin", "to/", "to/in", "from/", "from/out", "both/")
MIRROR = {
    "none/": "none/", "none/out": "none/in", "none/in": "none/out", "none/outin": "none/outin", "to/": "from/",
    "to/in": "from/out", "from/": "to/", "from/out": "to/in", "both/": "both/",
}  # fmt: skip
"""The same as the contact sees it."""

OUTBOUND: dict[str, dict[State, State]] = {
    "subscribe": {"none/": "none/out", "none/in": "none/outin", "from/": "from/out"},
    "unsubscribe": {
        "none/out": "none/", "none/outin": "none/in", "to/": "none/", "to/in": "none/in", "from/out": "from/",
        "both/": "from/",
    },
    "subscribed": {"none/in": "from/", "none/outin": "from/out", "to/in": "both/"},
    "unsubscribed": {
        "none/in": "none/", "none/outin": "none/out", "to/in": "to/", "from/": "none/", "from/out": "none/out",
        "both/": "to/",
    },
}  # fmt: skip
"""Tables 2 to 5: what changes when the user sends it; all other cells say `no state change`."""

INBOUND: dict[str, dict[State, State]] = {
    "subscribe": {"none/": "none/in", "none/out": "none/outin", "to/": "to/in"},
    "unsubscribe": OUTBOUND["unsubscribed"],
    "subscribed": {"none/out": "to/", "none/outin": "to/in", "from/out": "both/"},
    "unsubscribed": OUTBOUND["unsubscribe"],
}
"""Tables 6 to 9: what changes when it is received; it is delivered exactly where something changes."""


def reach(user: Client, contact: Client, state: State) -> None:
    """Bring both sides into the state, as the user sees it."""
    subscription, _, pending = state.partition("/")
    if subscription in ("to", "both"):
        subscribe(user, contact)
    if subscription in ("from", "both"):
        subscribe(contact, user)
    if "out" in pending:
        user.subscription("subscribe", contact.bare)
        contact.presence_of("subscribe", user.bare)
    if "in" in pending:
        contact.subscription("subscribe", user.bare)
        user.presence_of("subscribe", contact.bare)
    user.mark(contact)
    contact.mark(user)


def seen(client: Client, other: Client) -> tuple[str | None, str | None]:
    """Subscription and ask, as the roster tells; a contact that is not in it is none."""
    item = client.roster().get(other.bare)
    return ("none", None) if item is None else (item.get("subscription"), item.get("ask"))


def told(state: State) -> tuple[str, str | None]:
    """What the roster tells of a state: a pending request in is told by the other side's."""
    subscription, _, pending = state.partition("/")
    return subscription, "subscribe" if "out" in pending else None


@im("A.2.1", "MUST", "Outbound subscribe: routed, and the state changes as table 2 says.")
@im("A.2.2", "MUST", "Outbound unsubscribe: routed, and the state changes as table 3 says.")
@im("A.2.3", "MUST", "Outbound subscribed: routed only where table 4 says so, and the state changes as it says.")
@im("A.2.4", "MUST", "Outbound unsubscribed: routed only where table 5 says so, and the state changes as it says.")
@im("A.3.1", "MUST", "Inbound subscribe: delivered where table 6 says so, and the state changes as it says.")
@im("A.3.2", "MUST", "Inbound unsubscribe: delivered where table 7 says so, and the state changes as it says.")
@im("A.3.3", "MUST", "Inbound subscribed: delivered where table 8 says so, and the state changes as it says.")
@im("A.3.4", "MUST", "Inbound unsubscribed: delivered where table 9 says so, and the state changes as it says.")
@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("state", STATES)
def test_cell(site: Site, state: State, type: str) -> None:
    user, contact = site.online(), site.online(site.there)
    reach(user, contact, state)
    user.subscription(type, contact.bare)
    delivered = [kind for _, kind in presences(user.mark(contact), user.bare) if kind in TYPES]
    contact.mark(user)
    after = OUTBOUND[type].get(state, state)
    mirrored = INBOUND[type].get(MIRROR[state], MIRROR[state])
    assert delivered == ([type] if MIRROR[state] in INBOUND[type] else [])
    assert seen(user, contact) == told(after)
    assert seen(contact, user) == told(mirrored)


@im("A.1", "MUST NOT", "None + Pending In makes no roster item.")
@im("A.1", "MUST", "Where there is an item, it is kept and the request is noted.")
@pytest.mark.parametrize("listed", [False, True])
def test_pending_in(site: Site, listed: bool) -> None:
    user, contact = site.online(), site.online(site.there)
    if listed:
        user.set_item(f"<item jid='{contact.bare}' name='Known'/>")
    reach(user, contact, "none/in")
    roster = user.roster()
    assert (contact.bare in roster) is listed
    user.subscription("subscribed", contact.bare)
    user.mark(contact)
    assert user.roster()[contact.bare].get("name") == ("Known" if listed else None)
    assert seen(user, contact) == ("from", None)


@im("A.3.2", "SHOULD", "An unsubscribe that changes the state is answered with unsubscribed.")
@pytest.mark.parametrize("state", ["to/", "both/"])
def test_auto_reply(site: Site, state: State) -> None:
    user, contact = site.online(), site.online(site.there)
    reach(user, contact, state)
    user.subscription("unsubscribe", contact.bare)
    user.mark(contact)
    contact.mark(user)
    assert seen(user, contact) == told(OUTBOUND["unsubscribe"][state])
