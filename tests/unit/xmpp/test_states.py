"""The table of transitions is whole."""

from __future__ import annotations

from cluster.xmpp.streams.states import TRANSITIONS, Input, State


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_input_is_taken_somewhere() -> None:
    assert {what for row in TRANSITIONS.values() for what in row} == set(Input)


def test_every_state_can_be_reached_and_left() -> None:
    reached, new = set(), {State.OPENING}
    while new:
        reached |= new
        new = {after for state in new for after in TRANSITIONS[state].values()} - reached
    assert reached == set(State)
    assert [state for state in State if not set(TRANSITIONS[state].values()) - {state}] == [State.CLOSED]


def test_no_stanzas_without_login_and_resource() -> None:
    # RFC 6120 sections 6.3.1 and 7.1: the only ways to the later states
    ways = {(state, what) for state, row in TRANSITIONS.items() for what, after in row.items() if after is State.BOUND}
    assert ways == {
        (State.BINDING, Input.RESOURCE_BOUND),
        (State.BINDING, Input.STREAM_RESUMED),
        (State.NEGOTIATING, Input.LOGIN_BY_IQ),  # XEP-0078, which is a login
    }
    ways = {(s, what) for s, row in TRANSITIONS.items() for what, after in row.items() if after is State.AUTHENTICATED}
    assert ways == {(State.AUTHENTICATING, Input.LOGIN_ACCEPTED)}
    ways = {(s, what) for s, row in TRANSITIONS.items() for what, after in row.items() if after is State.BINDING}
    assert ways == {
        (State.AUTHENTICATED, Input.HEADER),
        (State.AUTHENTICATING_INLINE, Input.LOGIN_ACCEPTED),  # XEP-0388: without a restart
        (State.BINDING, Input.IQ),
    }
