"""What a run found, as structs: the JSON of `xmpplab simulate` has their shape (docs/json.md)."""

from __future__ import annotations

import msgspec


class SimulatedMessages(msgspec.Struct, frozen=True):
    """What became of them."""

    sent: int
    delivered: int
    waited: int
    """Of those delivered: sent before the receiver's session began, so that they were stored."""
    under_way: int
    """Neither delivered nor given up, as the run was ended before its end."""
    lost: int
    lost_by_fault: int
    """Taken by a `loss` fault of a link, as the topology has it."""
    bounced: int
    out_of_order: int
    duplicated: int
    duplicated_same_id: int
    """Arrived again with the same id, by which a client can tell."""
    misdelivered: int


class SimulationReport(msgspec.Struct, frozen=True):
    """One run."""

    topology: str
    seed: int
    domains: int
    people: int
    troubles: list[str]
    """Crashes, pauses and partitions, as they happened."""
    virtual_s: float
    real_s: float
    events: int
    sent_bytes: int
    """Over the simulated network, with what TLS would add."""
    logins: int
    breaks: int
    """Connections of clients that broke, planned or by troubles."""
    messages: SimulatedMessages
    latency_ms: dict[str, float]
    """In virtual time, of messages whose receiver was there."""
    presence: list[str]
    """Where somebody saw of a contact what is not true, once settled."""
    left_over: list[str]
    """What was there still after everybody had gone."""
    errors: int
    """Exceptions that were logged."""
    examples: list[str]
    digest: str
    """Of the journal: the same for the same topology, seed and options."""
    is_complete: bool
    """False where the run was interrupted: then nothing is said about what is under way."""

    broken: list[str]
    """The promises that were not kept, in words."""


def broken(found: SimulatedMessages, *, had_troubles: bool, presence: int, left_over: int, errors: int) -> list[str]:
    """The promises that were not kept. A crash may bring a message twice, but with the same id."""
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
