"""Faults in a copy of the server, as somebody might make them: what comes from another domain goes wrong on its way in.

`put_into` writes this module into a copy of the package. Each server there asks the file that MUTATION names which
fault it has now; an empty file means none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid

MUTATION = "XMPPLAB_TEST_MUTATION"
"""Environment variable: path of the file with the name of the fault."""

DOMAIN = "capulet.lit"
"""The receiving server that has the faults."""

EVERY, FIRST, FAR = 200, 100, 400
"""One message in 200 goes wrong, from the hundredth on; the far swap is over 400 messages."""

_PATCH = """

from cluster.server.mutation import mutated

build = mutated(build)
"""

Deliver = Callable[[Any, str], Any]


def put_into(package: Path) -> None:
    """Make the copy of the package at this path have faults."""
    (package / "server" / "mutation.py").write_text(Path(__file__).read_text())
    root = package / "server" / "build.py"
    root.write_text(root.read_text() + _PATCH)


def mutated(build: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`build`, of servers with the fault that is asked for."""

    def build_mutated(config: Any, ports: Any) -> Any:
        server = build(config, ports)
        if config.domain == DOMAIN:
            server.routing.from_link = _from_link(server.domain, server.routing.from_link)
        return server

    return build_mutated


def _from_link(domain: Any, deliver: Deliver) -> Deliver:
    state = _State(Path(os.environ.get(MUTATION, os.devnull)))

    def from_link(stanza: Any, place: str) -> Any:
        name = state.name()
        return KINDS[name](_Call(domain, deliver, state), stanza, place) if name else deliver(stanza, place)

    return from_link


class _State:
    """How many messages came, and which one is held back."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._name = ""
        self.count = 0
        self.held: tuple[Any, str] | None = None

    def name(self) -> str:
        """Of the fault; a new one begins to count."""
        name = self._file.read_text()
        if name != self._name:
            self._name, self.count, self.held = name, 0, None
        return name

    def is_hit(self) -> bool:
        self.count += 1
        return self.count % EVERY == FIRST


class _Call:
    """One stanza on its way in."""

    def __init__(self, domain: Any, deliver: Deliver, state: _State) -> None:
        self.domain = domain
        self.state = state
        self._deliver = deliver

    def deliver(self, stanza: Any, place: str) -> Any:
        return self._deliver(stanza, place)


Kind = Callable[[_Call, Any, str], Any]


def _one_in_many(act: Kind) -> Kind:
    def kind(call: _Call, stanza: Any, place: str) -> Any:
        is_hit = stanza.kind == "message" and call.state.is_hit()
        return (act if is_hit else _Call.deliver)(call, stanza, place)

    return kind


def _changed(change: Callable[[Any], Any]) -> Kind:
    return _one_in_many(lambda call, stanza, place: call.deliver(change(stanza), place))


def _without(kind: str) -> Kind:
    return lambda call, stanza, place: None if stanza.kind == kind else call.deliver(stanza, place)


def _drop(call: _Call, stanza: Any, place: str) -> None:
    """Nobody hears of it."""


def _twice(call: _Call, stanza: Any, place: str) -> Any:
    call.deliver(stanza, place)
    return call.deliver(stanza, place)


def _twice_anew(call: _Call, stanza: Any, place: str) -> Any:
    call.deliver(stanza, place)
    return call.deliver(stanza, f"{place}:again")


def _swap(distance: int) -> Kind:
    """Held back until so many others have passed."""

    def kind(call: _Call, stanza: Any, place: str) -> Any:
        state = call.state
        if stanza.kind != "message":
            return call.deliver(stanza, place)
        state.count += 1
        if state.held is None and state.count == FIRST:
            state.held = stanza, place
            return None
        settled = call.deliver(stanza, place)
        if state.held is not None and state.count == FIRST + distance:
            (held, at), state.held = state.held, None
            call.deliver(held, at)
        return settled

    return kind


def _replaced(stanza: Any, old: str, new: str, **header: object) -> Any:
    raw, count = re.subn(old.encode(), new.encode(), stanza.raw, count=1)
    assert count, stanza.raw
    return msgspec.structs.replace(stanza, raw=raw, **header)


def _from(stanza: Any) -> Any:
    other = Jid("mercutio", stanza.from_.domainpart, "street")
    return _replaced(stanza, str(stanza.from_), str(other), from_=other)


def _to_somebody_else(call: _Call, stanza: Any, place: str) -> Any:
    for account in call.domain.accounts.online.values():
        if account.jid != stanza.to.bare:
            for session in account.sessions.values():
                session.send(stanza)
    return call.deliver(stanza, place)


def _as_error(call: _Call, stanza: Any, place: str) -> None:
    error = stanza.error(StanzaError(Condition.SERVICE_UNAVAILABLE))
    swapped = _replaced(error, r'from="[^"]*"', f'from="{stanza.from_}"', from_=stanza.from_, to=stanza.to)
    swapped = _replaced(swapped, r' to="[^"]*"', f' to="{stanza.to}"')
    for session in call.domain.accounts.online[stanza.to.localpart].best():
        session.send(swapped)


def _drop_with_a_lie(call: _Call, stanza: Any, place: str) -> None:
    tracer = call.domain.tracer
    tracer.record("lost", tracer.followed(stanza), f"loss: {stanza.id}", node="router")


KINDS: dict[str, Kind] = {
    "drop": _one_in_many(_drop),
    "swap of neighbours": _swap(1),
    "swap over 400": _swap(FAR),
    "twice with the same id": _one_in_many(_twice),
    "twice with a new id": _one_in_many(_twice_anew),
    "body altered": _changed(lambda stanza: _replaced(stanza, "xxx</body>", "xyx</body>")),
    "body emptied": _changed(lambda stanza: _replaced(stanza, "<body>[^<]*", "<body>")),
    "from": _changed(_from),
    "type": _changed(lambda stanza: _replaced(stanza, "type=.chat.", "type='normal'", type="normal")),
    "payload": _changed(lambda stanza: _replaced(stanza, "<body>[^<]*</body>", "")),
    "copied to somebody else": _one_in_many(_to_somebody_else),
    "turned into an error": _one_in_many(_as_error),
    "all presence": _without("presence"),
    "all iq": _without("iq"),
    "dropped with a lie in the journal": _one_in_many(_drop_with_a_lie),
}
