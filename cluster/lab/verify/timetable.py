"""The steps of a scenario: what is done to the lab, when, how often, and which of several actions at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from cluster.kinds.base.values import AccountJid, NodeName
from cluster.lab.verify.values import Seconds
from cluster.router import settings
from cluster.topology.links import Link, directions, faults_of
from cluster.topology.strict import Section

ACTIONS = ("kill", "restart", "pause", "cut", "partition", "fault")
_LASTING = {"pause", "partition"}


class Action(Section):
    """One thing that is done to the lab."""

    kill: str | None = None
    """A node, such as `s2` or `redis`, gets SIGKILL. It is restarted at once, or after `for`."""
    restart: str | None = None
    """A node is stopped in an orderly way and restarted."""
    pause: str | None = None
    """A node hangs (SIGSTOP) for the time in `for`."""
    cut: AccountJid | None = None
    """The TCP connections of this account break without a goodbye; the client reconnects at once, or after `for`."""
    partition: Annotated[list[NodeName], Field(min_length=2, max_length=2)] | None = None
    """Two servers, such as `[s1, s2]`: nothing passes between them for the time in `for`; stanzas wait."""
    fault: Link | None = None  # type: ignore[valid-type]
    """Faults of a link, such as `{between: [s1, s2], loss: 1%}`: any that `links` of a topology may have. They end
    after `for`, or with the run."""
    for_: Annotated[Seconds, Field(alias="for")] = 0.0
    """Duration, such as `5s`."""

    @model_validator(mode="after")
    def _one_thing(self) -> Action:
        if len(self.named) != 1:
            raise ValueError(f"a step does one thing; write one of: {', '.join(ACTIONS)}")
        return self._lasting()

    def _lasting(self) -> Action:
        if self.named and self.action in _LASTING and not self.for_:
            raise ValueError(f"`{self.action}` needs a duration; add `for`, such as `for: 5s`")
        if self.restart is not None and self.for_:
            raise ValueError("a restart has no duration; leave `for` out, or use `kill`")
        return self

    @property
    def named(self) -> list[str]:
        """The actions in the file."""
        return [action for action in ACTIONS if getattr(self, action) is not None]

    @property
    def action(self) -> str:
        """The name of the action."""
        return self.named[0]

    @property
    def target(self) -> str:
        """Its target."""
        if self.partition is not None:
            return " and ".join(self.partition)
        if self.fault is not None:
            ways = ", ".join(f"{sender} → {receiver}" for sender, receiver in directions(self.fault))
            return f"{', '.join(f'{key} {text}' for key, text in self.fault_texts.items())} on {ways}"
        return str(getattr(self, self.action))

    @property
    def fault_texts(self) -> dict[str, str]:
        """The faults of `fault`, in the form of `xmpplab fault set`."""
        return settings.texts(faults_of(self.fault), 0.0) if self.fault is not None else {}

    def __str__(self) -> str:
        return f"{self.action} {self.target}" + (f" for {self.for_:g} s" if self.for_ else "")


class Step(Action):
    """One action that is done to the lab while the messages flow; once, or repeatedly."""

    at: Seconds
    """Time from the first message, such as `3s`."""
    choose: Annotated[list[Action], Field(min_length=2)] | None = None
    """One of these at random each time, instead of the step's own action: `[{kill: s1}, {pause: s2, for: 1s}]`."""
    every: Seconds | None = None
    """Repeat after this time, such as `5s`, counted from the start of the step."""
    times: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """Total number of times; with `every`."""

    @model_validator(mode="after")
    def _one_thing(self) -> Step:
        if len(self.named) + (self.choose is not None) != 1:
            raise ValueError(f"a step does one thing; write `at` and one of: {', '.join(ACTIONS)}, choose")
        if self.choose is not None and self.for_:
            raise ValueError("each choice has a `for` of its own; write it there")
        if (self.every is None) != (self.times is None):
            raise ValueError("a step that is repeated needs `every` and `times`, such as `every: 5s, times: 3`")
        self._lasting()
        return self

    @property
    def choices(self) -> Sequence[Action]:
        """The possible actions."""
        return self.choose or [self]

    @property
    def times_s(self) -> list[float]:
        """Its times, since the start of the run."""
        return [self.at + number * (self.every or 0.0) for number in range(self.times or 1)]


class Planned(NamedTuple):
    """An action, and its time."""

    at_s: float
    action: Action


def planned(steps: Sequence[Step], seed: int) -> list[Planned]:
    """The actions of a run, in the order of their times. The same seed chooses the same."""
    return sorted(_planned(steps, seed), key=lambda each: each.at_s)


def _planned(steps: Sequence[Step], seed: int) -> Iterator[Planned]:
    for index, step in enumerate(steps):
        rng = Random(f"{seed}:{index}")  # a generator for each step, so that a further step does not affect the others
        for at_s in step.times_s:
            yield Planned(at_s, rng.choice(step.choices))
