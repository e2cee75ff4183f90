"""What a run found, as structs: the JSON of `xmpplab simulate` has their shape (docs/json.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cluster.lab.verify.report import Report


class SimulatedMessages(msgspec.Struct, frozen=True):
    """Counts of the messages of a run."""

    sent: int
    delivered: int
    waited: int
    """Delivered messages that were sent before the receiver's session began."""
    under_way: int
    """Messages whose fate is open, as the run was interrupted."""
    lost: int
    lost_by_fault: int
    """Lost by a `loss` fault of a link."""
    bounced: int
    out_of_order: int
    duplicated: int
    duplicated_same_id: int
    """Delivered again with the same stanza-id, by which a client can recognize it."""
    duplicated_over_streams: int
    """Delivered again over an XML stream between servers, with another stanza-id: a client sends again what its server
    has sent on and not acknowledged before a crash (XEP-0198 section 5)."""
    misdelivered: int
    through_gateways: int
    """Delivered to or from a phone or mailbox."""
    copies_missing: int
    """Copies (XEP-0280) that a further device of an account did not get."""
    bounced_by_gateways: int
    """Returned on the way to or from a phone or mailbox."""


class SimulatedRooms(msgspec.Struct, frozen=True):
    """Counts of what was said in rooms."""

    said: int
    heard: int
    """What all occupants heard of it, taken together."""
    lost: int
    """What its speaker did not hear, though it stayed there."""
    returned: int
    """Refused by a room, as after a restart of its server that its speaker had not heard of."""
    out_of_step: int
    """An occupant missed something, or heard it in another order than the others."""
    duplicated: int
    duplicated_same_id: int
    misdelivered: int
    p99_ms: float
    """Percentile of the time until a speaker heard itself."""


class SimulationReport(msgspec.Struct, frozen=True):
    """One run."""

    topology: str
    seed: int
    domains: int
    people: int
    devices: int
    """Clients of all people."""
    troubles: list[str]
    """Crashes, pauses and partitions, in order."""
    virtual_s: float
    real_s: float
    events: int
    sent_bytes: int
    """Bytes sent over the simulated network, with the overhead of TLS."""
    logins: int
    breaks: int
    """Broken connections of clients."""
    stream_errors: int
    """Streams of clients that ended with an error."""
    messages: SimulatedMessages
    """Between people, and through gateways."""
    rooms: SimulatedRooms
    latency_ms: dict[str, float]
    """Percentiles in virtual time, of messages whose receiver was online."""
    presence: list[str]
    """Differences between displayed and actual presence at the end."""
    rosters: list[str]
    """Accounts whose rosters disagree on who sends presence to whom."""
    archives: list[str]
    """Differences between the archives and what was delivered."""
    left_over: list[str]
    """What was left after all clients had disconnected."""
    leaks: list[str]
    """What had grown in servers when people had come and gone once more."""
    errors: int
    """Logged exceptions."""
    examples: list[str]
    cpu: dict[str, float]
    """The share of a core that each of the busiest processes used, with --costs."""
    digest: str
    """Hash of the journal: the same for the same topology, seed and options."""
    is_complete: bool
    """False where the run was interrupted."""

    broken: list[str]
    """The broken promises, in words."""


@dataclass(frozen=True)
class Played:
    """The result of a scenario in virtual time."""

    report: Report
    """As of a live run."""
    digest: str
    """Hash of all that anybody received, and of the hops."""
    virtual_s: float
    real_s: float


def broken(
    found: SimulatedMessages,
    rooms: SimulatedRooms,
    *,
    had_troubles: bool,
    redis_was_away: bool,
    presence: int,
    rosters: int,
    archives: int,
    left_over: int,
    leaks: int,
    errors: int,
) -> list[str]:
    """The broken promises, in words. After a trouble a message may arrive twice with the same id; while Redis is away
    one may be returned to its sender."""
    counts = {
        "lost": found.lost,
        "bounced": 0 if redis_was_away else found.bounced,
        "out of order": found.out_of_order,
        "duplicated": found.duplicated,
        "duplicated with the same id, without a trouble": 0 if had_troubles else found.duplicated_same_id,
        "duplicated over streams, without a trouble": 0 if had_troubles else found.duplicated_over_streams,
        "misdelivered": found.misdelivered + rooms.misdelivered,
        "copies missing": found.copies_missing,
        "bounced by gateways": 0 if had_troubles else found.bounced_by_gateways,
        "lost in rooms": rooms.lost,
        "returned by rooms": 0 if had_troubles else rooms.returned,
        "rooms out of step": rooms.out_of_step,
        "duplicated in rooms": rooms.duplicated,
        "duplicated in rooms with the same id, without a trouble": 0 if had_troubles else rooms.duplicated_same_id,
        "wrong presence": presence,
        "rosters that disagree": rosters,
        "wrong archives": archives,
        "left over": left_over,
        "leaks": leaks,
        "errors": errors,
    }
    return [f"{name}: {count:,}" for name, count in counts.items() if count]


def promise_of(words: str) -> str:
    """The promise that is broken, without its count."""
    return words.partition(":")[0]
