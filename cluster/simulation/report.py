"""What a run found, as structs: the JSON of `xmpplab simulate` has their shape (docs/json.md)."""

from __future__ import annotations

import msgspec


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
    misdelivered: int


class SimulationReport(msgspec.Struct, frozen=True):
    """One run."""

    topology: str
    seed: int
    domains: int
    people: int
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
    latency_ms: dict[str, float]
    """Percentiles in virtual time, of messages whose receiver was online."""
    presence: list[str]
    """Differences between displayed and actual presence at the end."""
    left_over: list[str]
    """What was left after all clients had disconnected."""
    errors: int
    """Logged exceptions."""
    examples: list[str]
    digest: str
    """Hash of the journal: the same for the same topology, seed and options."""
    is_complete: bool
    """False where the run was interrupted."""

    broken: list[str]
    """The broken promises, in words."""


def broken(found: SimulatedMessages, *, had_troubles: bool, presence: int, left_over: int, errors: int) -> list[str]:
    """The broken promises, in words. After a trouble a message may arrive twice with the same id."""
    counts = {
        "lost": found.lost,
        "bounced": found.bounced,
        "out of order": found.out_of_order,
        "duplicated": found.duplicated,
        "duplicated with the same id, without a trouble": 0 if had_troubles else found.duplicated_same_id,
        "misdelivered": found.misdelivered,
        "wrong presence": presence,
        "left over": left_over,
        "errors": errors,
    }
    return [f"{name}: {count:,}" for name, count in counts.items() if count]
