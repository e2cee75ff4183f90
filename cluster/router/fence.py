"""Keeps the order when the accounts of a node that is gone write from another node.

Each node of a domain has its own stream to each other end, and those are read at the same time. So when a node is gone,
each other node writes a fence first over each of its links: an entry with marks, which say how far the unread streams
of the other nodes reach. The reader passes it when all entries that it names have settled. Marks name only what was
written before them, so no two links wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from hiredis import ReplyError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.base.clock import as_interface
from cluster.base.storage import is_away

if TYPE_CHECKING:
    from cluster.router.inbound import Inbound

LOOK_AGAIN_S = 0.05
TOLD_AFTER_S = 5.0
"""A longer wait is logged."""

Marks = dict[str, str]
"""By the end that a stream is from: the id of the last entry that goes first."""

_log = Logger()
_decode = msgspec.msgpack.Decoder(Marks).decode


def read_marks(entry: bytes) -> Marks | None:
    """The marks of an entry; None if it has stanzas."""
    try:
        return _decode(entry)
    except msgspec.DecodeError:
        return None


async def passed(marks: Marks, from_: str, inbound: Inbound, is_over: Callable[[], bool]) -> bool:
    """Return when the entries that go before these marks, in the link from that end, have settled; or `is_over`: then
    False."""
    begun_s, is_told = inbound.clock.seconds(), False
    for other, last in marks.items():
        while not is_over() and await _is_unread(inbound, other, last):
            if not is_told and inbound.clock.seconds() - begun_s >= TOLD_AFTER_S:
                is_told = True
                what = "What comes from {from_} waits until what came from {other} up to {last} is delivered"
                _log.warn(what, from_=from_, other=other, last=last)
            await deferLater(as_interface(inbound.clock), LOOK_AGAIN_S)
    return not is_over()


async def _is_unread(inbound: Inbound, other: str, last: str) -> bool:
    """Settled entries are no longer in the stream; a stream from an end that does not exist any more is not waited
    for."""
    try:
        left = await inbound.client.execute("XRANGE", inbound.keys.link(inbound.to, other), "-", last, "COUNT", 1)
        return bool(left) and await inbound.exists(other)
    except ConnectionLost:
        return True
    except ReplyError as error:  # the id may be invalid
        return is_away(error)
