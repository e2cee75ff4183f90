"""The steps of a scenario: what is done to the lab, when, how often, and which of several things by chance."""

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
    """A node, such as `s2` or `redis`, gets SIGKILL. It is started again, at once or after `for`."""
    restart: str | None = None
    """A node is ended in an orderly way and started again."""
    pause: str | None = None
    """A node hangs (SIGSTOP) for the time in `for`."""
    cut: AccountJid | None = None
    """The TCP connections of this account break without a goodbye; it comes back at once or after `for`."""
    partition: Annotated[list[NodeName], Field(min_length=2, max_length=2)] | None = None
    """Two servers, such as `[s1, s2]`: nothing passes between them for the time in `for`. What is sent waits."""
    fault: Link | None = None  # type: ignore[valid-type]
    """Faults of a link, such as `{between: [s1, s2], loss: 1%}`: all that the `links` of a topology may have. They end
    after `for`, or with the run."""
    for_: Annotated[Seconds, Field(alias="for")] = 0.0
    """How long it lasts, such as `5s`."""

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
        """The actions that are written."""
        return [action for action in ACTIONS if getattr(self, action) is not None]

    @property
    def action(self) -> str:
        """What is done."""
        return self.named[0]

    @property
    def target(self) -> str:
        """To what or whom."""
        if self.partition is not None:
            return " and ".join(self.partition)
        if self.fault is not None:
            ways = ", ".join(f"{sender} → {receiver}" for sender, receiver in directions(self.fault))
            return f"{', '.join(f'{key} {text}' for key, text in self.fault_texts.items())} on {ways}"
        return str(getattr(self, self.action))

    @property
    def fault_texts(self) -> dict[str, str]:
        """The faults of `fault`, as `xmpplab fault set` would have them."""
        return settings.texts(faults_of(self.fault), 0.0) if self.fault is not None else {}

    def __str__(self) -> str:
        return f"{self.action} {self.target}" + (f" for {self.for_:g} s" if self.for_ else "")


class Step(Action):
    """One thing that is done to the lab while the messages flow; once, or again and again."""

    at: Seconds
    """When, counted from the first message, such as `3s`."""
    choose: Annotated[list[Action], Field(min_length=2)] | None = None
    """One of these at random each time, instead of the step's own action: `[{kill: s1}, {pause: s2, for: 1s}]`."""
    every: Seconds | None = None
    """Again after this time, such as `5s`, counted from when it began."""
    times: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """How often in all; with `every`."""

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
        """What it may do."""
        return self.choose or [self]

    @property
    def times_s(self) -> list[float]:
        """When it is due, since the start of the run."""
        return [self.at + number * (self.every or 0.0) for number in range(self.times or 1)]


class Planned(NamedTuple):
    """An action, and when it is due."""

    at_s: float
    action: Action


def planned(steps: Sequence[Step], seed: int) -> list[Planned]:
    """What is done in a run, in the order of the times. The same seed chooses the same."""
    return sorted(_planned(steps, seed), key=lambda each: each.at_s)


def _planned(steps: Sequence[Step], seed: int) -> Iterator[Planned]:
    for index, step in enumerate(steps):
        rng = Random(f"{seed}:{index}")  # of its own, so that a further step leaves the others alone
        for at_s in step.times_s:
            yield Planned(at_s, rng.choice(step.choices))
