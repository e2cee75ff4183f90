"""The scenario file as people write it: who sends to whom, what is broken meanwhile, and what must hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from cluster.router import settings
from cluster.router.quantity import DURATION, NONE, SHARE
from cluster.topology.links import Link, directions, faults_of
from cluster.topology.section import AccountJid, Name, NodeName, OrEmpty, Section


def duration_s(value: object) -> float:
    """The time in seconds. Raises ValueError with what may be written."""
    if not isinstance(value, str) or value == NONE:
        raise ValueError(f"{value!r} does not fit here; write {DURATION.form}")
    return DURATION.parse(value) or 0.0


def _share(value: object) -> object:
    if value == "any":
        return None
    if not isinstance(value, str) or value == NONE:
        raise ValueError(f"{value!r} does not fit here; write {SHARE.form}, or any")
    return SHARE.parse(value) or 0.0


def _rate(value: object) -> object:
    if value == "max":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ValueError(f"{value!r} is no rate; write messages a second, such as 1000, or max")
    return float(value)


def _limit(value: object) -> object:
    if value == "any":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no limit; write how many there may be, such as 0, or any")
    return value


Seconds = Annotated[float, BeforeValidator(duration_s), WithJsonSchema({"type": "string", "pattern": DURATION.pattern})]
Share = Annotated[
    float | None,
    BeforeValidator(_share),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SHARE.pattern}, {"const": "any"}]}),
]
Rate = Annotated[
    float | None,
    BeforeValidator(_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "max"}]}),
]
Limit = Annotated[
    int | None,
    BeforeValidator(_limit),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"const": "any"}]}),
]
"""None: any number."""


class Flow(Section):
    """Messages from one account to another."""

    from_: Annotated[AccountJid, Field(alias="from")]
    """Who sends: an account of the topology."""
    to: AccountJid
    """Who receives: an account of the topology, which is online, but for what the scenario does."""
    rate: Rate = 1000.0
    """Messages a second, sent when they are due whatever becomes of the earlier ones; or `max`: as many as arrive, with
    `window` of them under way. Without it: 1000."""
    duration: Seconds = 10.0
    """For how long. Without it: `10s`."""
    size: Annotated[int, Field(ge=1, le=200_000)] = 300
    """Bytes of each message, as near as its address allows."""
    window: Annotated[int, Field(ge=1)] = 200
    """Only for `rate: max`: how many messages may be under way."""


class Step(Section):
    """One thing that is done to the lab while the messages flow."""

    at: Seconds
    """When, counted from the first message, such as `3s`."""
    kill: str | None = None
    """A node, such as `s2` or `redis`, gets SIGKILL. It is started again, at once or after `for`."""
    restart: str | None = None
    """A node is ended in an orderly way and started again."""
    pause: str | None = None
    """A node hangs (SIGSTOP), `for` so long."""
    cut: AccountJid | None = None
    """The TCP connections of this account break without a goodbye; it comes back at once or after `for`."""
    partition: Annotated[list[NodeName], Field(min_length=2, max_length=2)] | None = None
    """Two servers, such as `[s1, s2]`: nothing passes between them, `for` so long. What is sent waits."""
    fault: Link | None = None  # type: ignore[valid-type]
    """Faults of a link, such as `{between: [s1, s2], loss: 1%}`: all that the `links` of a topology may have. They end
    after `for`, or with the run."""
    for_: Annotated[Seconds, Field(alias="for")] = 0.0
    """How long it lasts, such as `5s`."""

    @model_validator(mode="after")
    def _one_thing(self) -> Step:
        if len(self.named) != 1:
            raise ValueError(f"a step does one thing; write `at` and one of: {', '.join(ACTIONS)}")
        if self.action in _LASTING and not self.for_:
            raise ValueError(f"how long is this {self.action} to last? add `for`, such as `for: 5s`")
        if self.action == "restart" and self.for_:
            raise ValueError("a restart takes as long as it takes; leave `for` out, or use `kill`")
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


ACTIONS = ("kill", "restart", "pause", "cut", "partition", "fault")
_LASTING = {"pause", "partition"}


class Promises(Section):
    """What must hold at the end. Each is a limit, or `any`."""

    lost: Limit = 0
    """Messages that neither arrived nor came back, though no fault of a link lost them."""
    lost_by_fault: Limit = None
    """Messages that a fault of a link lost, as it was told to. Without it: any."""
    bounced: Limit = 0
    """Messages that came back as errors."""
    out_of_order: Limit = 0
    """Messages that arrived behind one that was sent later."""
    duplicated: Limit = 0
    """Messages that arrived again with another stanza-id or mark, so that nobody can tell."""
    duplicated_same_id: Limit = None
    """Messages that arrived again with the same stanza-id or mark, by which a client can tell. Without it: any."""
    longest_gap: Seconds | None = None
    """The longest time without an arrival, such as `10s`. Without it: any."""
    memory_growth: Share = None
    """By how much the memory (RSS) of each node may grow from the middle of the run to its end, such as `20%`. Without
    it: any."""


class Scenario(Section):
    """A run of a lab, and what must hold in it."""

    name: Name
    """Name of the scenario."""
    about: str = ""
    """What happens, in a few words: the row of the fault matrix."""
    topology: str | None = None
    """The lab to run it in: a topology file, from where this file is. Without it, a lab that is up."""
    flows: Annotated[list[Flow], Field(min_length=1)]
    """Who sends to whom."""
    steps: Annotated[list[Step], OrEmpty(list)] = []
    """What happens meanwhile."""
    promises: Annotated[Promises, OrEmpty(dict)] = Promises()
    """What must hold at the end."""
    follow: Literal["all", "sampled"] = "all"
    """Whose hops are recorded: of all messages, so that the report can show where each one was lost; or only of the
    samples that the lab takes by itself, for full load."""
