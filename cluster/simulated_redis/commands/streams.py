"""Streams."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cluster.simulated_redis.command import (
    NOTHING,
    READ,
    SYNTAX,
    WRITE,
    Args,
    command,
    integer,
    second_key,
    without_options,
)
from cluster.simulated_redis.command import wrong_number as wrong
from cluster.simulated_redis.database import Database
from cluster.simulated_redis.resp import CommandError, Reply
from cluster.simulated_redis.stream import LAST, ZERO, EntryId, Group, Stream, pending_after

BLOCK = 100
"""Entries that `MAXLEN ~` removes at once (stream-node-max-entries)."""
_ID = re.compile(rb"(\d{1,20})(?:-(\d{1,20}))?")


@command("xadd", -5, WRITE)
def xadd(db: Database, args: Args) -> bytes:
    at, most, is_about = 2, None, False
    if args[at].upper() == b"MAXLEN":
        is_about = args[at + 1] == b"~"
        at += 2 if args[at + 1] in (b"~", b"=") else 1
        most, at = integer(args[at]), at + 1
    fields = args[at + 1 :]
    if not fields or len(fields) % 2:
        raise wrong("xadd")
    wanted = None if args[at] == b"*" else entry_id(args[at])
    if wanted == ZERO:
        raise CommandError("ERR The ID specified in XADD must be greater than 0-0")
    stream = db.read(args[1], Stream) or Stream()
    if stream.last == LAST:
        raise CommandError("ERR The stream has exhausted the last possible ID, unable to add more items")
    id = wanted or max((db.now_ms, 0), (stream.last[0], stream.last[1] + 1))
    if id <= stream.last:
        raise CommandError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    db.values[args[1]] = stream
    stream.append(id, fields)
    if most is not None:
        excess = max(0, len(stream) - most)
        stream.trim(excess - excess % BLOCK if is_about else excess)
    return written(id)


@command("xdel", -3, WRITE)
def xdel(db: Database, args: Args) -> int:
    stream = db.read(args[1], Stream)
    return 0 if stream is None else sum([stream.delete(id) for id in [entry_id(each) for each in args[2:]]])


@command("xlen", 2, NOTHING)
def xlen(db: Database, args: Args) -> int:
    return len(db.read(args[1], Stream) or ())


@command("xrange", -4, READ)
def xrange(db: Database, args: Args) -> list[Reply]:
    first = _end(args[2], 0)
    last = _end(args[3], LAST[1])
    count = _count(args[4:])
    stream = db.read(args[1], Stream)
    return [] if stream is None else _entries(stream, stream.between(first, last, count))


@command("xack", -4, WRITE)
def xack(db: Database, args: Args) -> int:
    stream = db.read(args[1], Stream)
    group = None if stream is None else stream.groups.get(args[2])
    if group is None:
        return 0
    ids = [entry_id(each) for each in args[3:]]
    return sum([group.pending.pop(id, None) is not None for id in ids])


@command("xgroup|create", -5, WRITE, keys=second_key)
def xgroup_create(db: Database, args: Args) -> str:
    options = [each.upper() for each in args[5:]]
    if options not in ([], [b"MKSTREAM"]):
        raise CommandError(SYNTAX)
    stream = db.read(args[2], Stream)
    if stream is None and not options:
        raise CommandError(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
            "MKSTREAM option to create an empty stream automatically."
        )
    delivered = None if args[4] == b"$" else entry_id(args[4])
    stream = stream or db.open(args[2], Stream)
    if args[3] in stream.groups:
        raise CommandError("BUSYGROUP Consumer Group name already exists")
    stream.groups[args[3]] = Group(stream.last if delivered is None else delivered)
    return "OK"


def _streams_key(args: Args) -> list[bytes]:
    upper = [each.upper() for each in args]
    return args[upper.index(b"STREAMS") + 1 : -1] if b"STREAMS" in upper[4:] else []


@command("xreadgroup", -7, READ, keys=_streams_key, is_write=True)
def xreadgroup(db: Database, args: Args) -> Reply:
    """Of one stream, without blocking: GROUP name consumer [COUNT n] STREAMS key id."""
    if args[1].upper() != b"GROUP" or args[-3].upper() != b"STREAMS" or len(args) not in (7, 9):
        raise CommandError(SYNTAX)
    (_, _, name, consumer), key = args[:4], args[-2]
    count = _count(args[4:-3])
    stream = db.read(key, Stream)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        what = f"No such key '{key.decode()}' or consumer group '{name.decode()}'"
        raise CommandError(f"NOGROUP {what} in XREADGROUP with GROUP option")
    if args[-1] != b">":
        return {key: _entries(stream, pending_after(group, consumer, entry_id(args[-1]), count))}
    ids = stream.give(group, consumer, count)
    return {key: _entries(stream, ids)} if ids else None


@command("xinfo|stream", -3, READ, keys=second_key)
def xinfo_stream(db: Database, args: Args) -> dict[bytes, Reply]:
    """Without the sizes of its radix tree, of which there is none."""
    without_options(args, 3)
    stream = db.read(args[2], Stream)
    if stream is None:
        raise CommandError("ERR no such key")
    ends = _entries(stream, stream.ids[:1]), _entries(stream, stream.ids[-1:])
    first, last = (end[0] if end else None for end in ends)
    return {
        b"length": len(stream),
        b"last-generated-id": written(stream.last),
        b"max-deleted-entry-id": written(stream.max_deleted),
        b"entries-added": stream.added,
        b"recorded-first-entry-id": written(stream.ids[0] if stream.ids else ZERO),
        b"groups": len(stream.groups),
        b"first-entry": first,
        b"last-entry": last,
    }


def _entries(stream: Stream, ids: Sequence[EntryId]) -> list[Reply]:
    """None in place of the fields of what was deleted."""
    return [[written(id), stream.fields.get(id)] for id in ids]


def _count(options: Args) -> int | None:
    """None: all. No more than -1 is meant by a negative number."""
    if not options:
        return None
    if len(options) != 2 or options[0].upper() != b"COUNT":
        raise CommandError(SYNTAX)
    count = integer(options[1])
    return count if count > 0 else None


def entry_id(text: bytes, number: int = 0) -> EntryId:
    """An id; `number`: the second part where it is left out. Raises CommandError."""
    found = _ID.fullmatch(text)
    if found is None or int(found[1]) > LAST[0] or int(found[2] or 0) > LAST[1]:
        raise CommandError("ERR Invalid stream ID specified as stream command argument")
    return int(found[1]), number if found[2] is None else int(found[2])


def _end(text: bytes, number: int) -> EntryId:
    """The end of a range."""
    return {b"-": ZERO, b"+": LAST}.get(text) or entry_id(text, number)


def written(id: EntryId) -> bytes:
    """An id as text."""
    return b"%d-%d" % id
