"""The scenario file as people write it: flows, steps that break something, and promises."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from cluster.kinds.base.values import Name
from cluster.lab.verify.promises import PROMISES, Promises
from cluster.lab.verify.timetable import Step
from cluster.lab.verify.values import Rate, Seconds
from cluster.topology.strict import OrEmpty, Section
from cluster.xmpp.jid import Jid

_FOREIGN = re.compile(r"[a-z][a-z0-9-]{0,62}|\+?[0-9]{3,15}")
"""The name of a phone or a mailbox, or a phone's number."""


def _end(text: str, info: ValidationInfo) -> str:
    if not text and info.data.get("room"):
        return ""
    if not text:
        raise ValueError(f"the key {str(info.field_name).rstrip('_')!r} is missing; write `from` and `to`, or `room`")
    if _FOREIGN.fullmatch(text):
        return text
    jid = Jid.parse(text)
    if not jid.localpart or jid.resourcepart:
        raise ValueError(f"{text!r} is not an end of a flow; write an account, or the name of a phone or mailbox")
    return str(jid)


End = Annotated[str, AfterValidator(_end), WithJsonSchema({"type": "string", "pattern": "^[^/ ]+$"})]


def _room(text: str) -> str:
    jid = Jid.parse(text)
    if not jid.localpart or jid.resourcepart:
        raise ValueError(f"{text!r} is not a room; write one such as verona@conference.montague.lit")
    return str(jid)


class Flow(Section):
    """Stanzas from one end to another, or what is said in a room."""

    room: Annotated[str, AfterValidator(_room)] | None = None
    """A room in place of both ends, such as `verona@conference.montague.lit`. Accounts of all domains enter it, two of
    them speak in turn, and each must hear each message once, all in the same order. A missing one is created."""
    occupants: Annotated[int, Field(ge=2, le=100)] = 10
    """Only with `room`: how many clients are in it."""
    from_: Annotated[End, Field(alias="from", validate_default=True)] = ""
    """The sender: an account of the topology; or a phone or a mailbox, by its name, number or address."""
    to: Annotated[End, Field(validate_default=True)] = ""
    """The receiver, likewise."""
    kind: Literal["message", "presence", "iq"] = "message"
    """Messages; directed presence; or iq requests to the other end's client, whose answers are checked too."""
    rate: Rate = 1000.0
    """Stanzas per second, each sent when it is due, independently of earlier ones; or `max`: as many as arrive, with
    `window` of them under way. Without it: 1000."""
    duration: Seconds = 10.0
    """For how long. Without it: `10s`."""
    size: Annotated[int, Field(ge=1, le=200_000)] = 300
    """Bytes of each stanza (of each text, to or from a phone or a mailbox), as near as its address allows."""
    window: Annotated[int, Field(ge=1)] = 200
    """Only for `rate: max`: the number of stanzas under way."""
    online: bool = True
    """`false`: the receiver logs in when everything is sent, and then gets all of it."""
    carbons: Annotated[int, Field(ge=0, le=5)] = 0
    """How many further resources of both accounts enable carbons (XEP-0280). Each must see every message."""
    archive: bool = False
    """The archives of both accounts (XEP-0313) are read at the end. The receiver's must have what was delivered, the
    sender's what its server acknowledged: each once, unchanged and in order."""

    @model_validator(mode="after")
    def _of_messages_only(self) -> Flow:
        for key, is_set in (("online: false", not self.online), ("carbons", self.carbons), ("archive", self.archive)):
            if is_set and self.kind != "message":
                raise ValueError(f"`{key}` is for messages; leave it out, or leave `kind` out")
        if self.room is not None:
            self._check_room()
        if not self.online and self.rate is None:
            raise ValueError("`rate: max` waits for arrivals, but the receiver is offline; write a number")
        return self

    def _check_room(self) -> None:
        if self.from_ or self.to:
            raise ValueError("what is said in a room has no ends; leave out `from` and `to`, or `room`")
        others = (self.kind != "message", not self.online, self.carbons, self.archive)
        if any(others) or self.rate is None:
            raise ValueError("with `room`, leave out `kind`, `online`, `carbons`, `archive` and `rate: max`")

    @property
    def count(self) -> int | None:
        """The number of stanzas; None if it is as many as arrive."""
        return None if self.rate is None else max(1, round(self.rate * self.duration))


class Scenario(Section):
    """A run of a lab, and its promises."""

    name: Name
    """Name of the scenario."""
    about: str = ""
    """A short description: the row of the fault matrix."""
    topology: str | None = None
    """The topology file of the lab, relative to this file. Without it, a running lab."""
    flows: Annotated[list[Flow], Field(min_length=1)]
    """The flows of stanzas."""
    steps: Annotated[list[Step], OrEmpty(list)] = []
    """What is done meanwhile. Each step happens while stanzas are still being sent."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """For the random choices of steps. Without it each run has a new one, which its report names."""
    promises: Annotated[Promises, OrEmpty(dict)] = Promises()
    """What must hold at the end."""
    expect: PROMISES = []
    """Promises that must be broken, such as `lost`: the run fails if one of them is kept."""
    follow: Literal["all", "sampled"] = "all"
    """Whose hops are recorded: of all messages, so that the report can show where each one was lost; or only of the
    samples that the lab takes anyway, for full load."""

    @property
    def broken_nodes(self) -> set[str]:
        """The nodes that its steps kill, restart or pause."""
        choices = [choice for step in self.steps for choice in step.choices]
        return {name for each in choices for name in (each.kill, each.restart, each.pause) if name is not None}

    @property
    def duration_s(self) -> float:
        """Until the last stanza is sent."""
        return max(flow.duration for flow in self.flows)
