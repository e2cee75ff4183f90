"""Every transition of RFC 6121 Appendix A, first as data, then on a running server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cluster.server.im.subscriptions import state_of
from cluster.store.port import RosterItem
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from cluster.xmpp.subscription import ALWAYS_ROUTED, INBOUND, OUTBOUND, TYPES, State, SubscriptionType
from tests.conformance.rules import im
from tests.network import Network

STATES = {
    "N": State.NONE, "NO": State.NONE_OUT, "NI": State.NONE_IN, "NOI": State.NONE_OUT_IN, "T": State.TO,
    "TI": State.TO_IN, "F": State.FROM, "FO": State.FROM_OUT, "B": State.BOTH,
}  # fmt: skip

# From the appendix: an existing state, `>` the new one where it changes, `!` where the stanza is routed or delivered.
APPENDIX = """
A.2.1 out subscribe     N>NO!  NO!    NI>NOI!  NOI!     T!    TI!    F>FO!  FO!     B!
A.2.2 out unsubscribe   N!     NO>N!  NI!      NOI>NI!  T>N!  TI>NI! F!     FO>F!   B>F!
A.2.3 out subscribed    N      NO     NI>F!    NOI>FO!  T     TI>B!  F      FO      B
A.2.4 out unsubscribed  N      NO     NI>N!    NOI>NO!  T     TI>T!  F>N!   FO>NO!  B>T!
A.3.1 in  subscribe     N>NI!  NO>NOI! NI      NOI      T>TI! TI     F      FO      B
A.3.2 in  unsubscribe   N      NO     NI>N!    NOI>NO!  T     TI>T!  F>N!   FO>NO!  B>T!
A.3.3 in  subscribed    N      NO>T!  NI       NOI>TI!  T     TI     F      FO>B!   B
A.3.4 in  unsubscribed  N      NO>N!  NI       NOI>NI!  T>N!  TI>NI! F      FO>F!   B>F!
"""
Row = tuple[str, SubscriptionType, State, State, bool]
"""Direction, type, existing state, new state, whether it is routed or delivered."""

ROMEO, HAMLET = Jid.parse("romeo@montague.lit"), Jid.parse("hamlet@elsinore.lit")
PDA = f"{ROMEO}/pda"


def _rows() -> list[Row]:
    rows: list[Row] = []
    for line in APPENDIX.strip().splitlines():
        _, direction, kind, *cells = line.split()
        for cell in cells:
            match = re.fullmatch(r"(\w+)(?:>(\w+))?(!?)", cell)
            assert match is not None
            before, after, passes = match.groups()
            rows.append((direction, kind, STATES[before], STATES[after or before], passes == "!"))
    return rows


ROWS = _rows()


def test_the_tables_are_the_appendix() -> None:
    assert len(ROWS) == 2 * len(TYPES) * len(State)
    for direction, kind, before, after, passes in ROWS:
        table = OUTBOUND if direction == "out" else INBOUND
        new = table[kind].get(before)
        assert (new or before) is after, (direction, kind, before)
        assert passes == (new is not None or (direction == "out" and kind in ALWAYS_ROUTED))


def seen_by(state: State) -> bool:
    """The contact sees Romeo's presence."""
    return state.value[0] in ("from", "both")


def cases(direction: str) -> Iterator[tuple[SubscriptionType, State, State, bool, bool]]:
    """All rows of one direction; where the state does not say whether Romeo has added the contact, both."""
    for which, kind, before, new, passes in ROWS:
        if which == direction:
            yield kind, before, new, passes, True
            if before in (State.NONE, State.NONE_IN):
                yield kind, before, new, passes, False


def seed(network: Network, state: State, listed: bool) -> RosterItem:
    """Hamlet, in that state, in Romeo's stored roster; added by Romeo or not, where the state leaves that open."""
    subscription, pending_out, pending_in = state.value
    request = make("presence", from_=HAMLET, to=ROMEO, type="subscribe") if pending_in else None
    if state is State.NONE and not listed:
        network.account(str(ROMEO))
        return RosterItem(HAMLET)
    return network.contact(
        str(ROMEO), str(HAMLET), subscription=subscription, pending_out=pending_out, pending_in=request,
        listed=listed,
    )  # fmt: skip


def shown(item: RosterItem | None) -> str | None:
    """The push that shows the item; None where a roster does not show it."""
    if item is None or not item.listed:
        return None
    ask, approved = " ask" * item.pending_out, " approved" * item.approved
    return f"push {item.jid} {item.subscription}{ask}{approved}"


def after(network: Network) -> tuple[State, str | None]:
    """What is stored."""
    item = network.item(str(ROMEO), str(HAMLET))
    return state_of(item or RosterItem(HAMLET)), shown(item)


@pytest.mark.parametrize(("kind", "before", "new", "routed", "listed"), list(cases("out")))
def test_what_the_account_sends(
    network: Network, kind: SubscriptionType, before: State, new: State, routed: bool, listed: bool
) -> None:
    old = shown(seed(network, before, listed))
    romeo = network.online(PDA)
    network.say(romeo, f"<presence to='{HAMLET}/phone' type='{kind}'><status>please</status></presence>")
    state, item = after(network)
    assert state is new
    # RFC 6121 sections 3.1.2, 3.2.2, 3.3.2: from and to are bare
    expected = [f"presence/{kind} {ROMEO}: please -> {HAMLET}"] if routed else []
    if seen_by(new) and not seen_by(before):  # section 3.1.5
        expected.append(f"presence {PDA} -> {HAMLET}")
    if seen_by(before) and not seen_by(new):  # section 3.2.2
        expected.insert(0, f"presence/unavailable {PDA} -> {HAMLET}")
    assert network.abroad.take() == expected
    pushes = romeo.take()
    assert set(pushes) <= {item}
    assert bool(pushes) or item in (old, None)


@im("A.3.1", "SHOULD", "subscribe of a subscriber is answered with subscribed.")
@pytest.mark.parametrize(("kind", "before", "new", "delivered", "listed"), list(cases("in")))
def test_what_the_contact_sends(
    network: Network, kind: SubscriptionType, before: State, new: State, delivered: bool, listed: bool
) -> None:
    old = shown(seed(network, before, listed))
    romeo, mute = network.online(PDA), network.client(f"{ROMEO}/mute")
    network.abroad.send(make("presence", from_=HAMLET, to=ROMEO, type=kind))
    network.settle()
    state, item = after(network)
    assert state is new
    got = romeo.take()
    assert [line for line in got if "push" not in line] == [f"presence/{kind} {HAMLET}"] * delivered
    pushes = [line for line in got if "push" in line]
    assert set(pushes) <= {item}
    assert bool(pushes) or item in (old, None)
    assert mute.take() == []  # it is neither available nor interested
    expected = []
    if kind == "subscribe" and seen_by(before):  # section 3.1.3: answered for the account
        expected = [f"presence/subscribed {ROMEO} -> {HAMLET}", f"presence {PDA} -> {HAMLET}"]
    if seen_by(before) and not seen_by(new):  # section 3.3.3
        expected = [f"presence/unavailable {PDA} -> {HAMLET}"]
    assert network.abroad.take() == expected


@pytest.mark.parametrize("before", [State.NONE, State.NONE_OUT, State.TO])
def test_pre_approval_and_its_end(network: Network, before: State) -> None:
    seed(network, before, listed=True)  # RFC 6121 section 3.4
    romeo = network.online(PDA)
    network.say(romeo, f"<presence to='{HAMLET}' type='subscribed'/>")
    assert after(network)[0] is before
    [push] = romeo.take()
    assert push.endswith(" approved")
    network.say(romeo, f"<presence to='{HAMLET}' type='unsubscribed'/>")
    [push] = romeo.take()
    assert not push.endswith(" approved")
    assert after(network)[0] is before
    assert network.abroad.take() == []


@pytest.mark.parametrize(
    ("before", "new"), [(State.NONE, State.FROM), (State.NONE_OUT, State.FROM_OUT), (State.TO, State.BOTH)]
)
@pytest.mark.parametrize("awake", [True, False])
def test_a_pre_approved_contact_is_answered_at_once(network: Network, before: State, new: State, awake: bool) -> None:
    seed(network, before, listed=True)  # RFC 6121 sections 3.1.3 and 3.4.2
    romeo = network.online(PDA)
    network.say(romeo, f"<presence to='{HAMLET}' type='subscribed'/>")
    if not awake:
        romeo.close()
        network.settle()
    network.forget()
    network.abroad.send(make("presence", from_=HAMLET, to=ROMEO, type="subscribe"))
    network.settle()
    assert after(network)[0] is new
    assert [line for line in romeo.take() if "subscribe " in line] == []
    shown = [f"presence {PDA} -> {HAMLET}"] if awake else []
    assert network.abroad.take() == [f"presence/subscribed {ROMEO} -> {HAMLET}", *shown]
