"""Commands about a connection, and about what is published."""

from __future__ import annotations

from cluster.simulated_redis.command import Args, all_of, command, first_key, integer, none
from cluster.simulated_redis.database import Database
from cluster.simulated_redis.resp import CommandError, Reply
from cluster.simulated_redis.session import Session

VERSION = b"9.1.2"
"""Of the Valkey to which the tests compare this one."""


@command("hello", -1, keys=none, is_of_session=True)
def hello(session: Session, args: Args) -> dict[bytes, Reply]:
    if args[1:2] != [b"3"]:
        raise CommandError("NOPROTO unsupported protocol version")
    if len(args) > 2:
        if len(args) != 5 or args[2].upper() != b"AUTH":
            raise CommandError("ERR Syntax error in HELLO option")
        session.log_in(args[3], args[4])
    if session.user is None:
        raise CommandError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
            "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the "
            "same time"
        )
    server: dict[bytes, Reply] = {b"server": b"valkey", b"version": VERSION, b"proto": 3, b"mode": b"standalone"}
    return {**server, b"role": b"master", b"modules": []}


@command("auth", -2, keys=none, is_of_session=True)
def auth(session: Session, args: Args) -> str:
    if len(args) > 3:
        raise CommandError("ERR syntax error")
    session.log_in(args[1] if len(args) == 3 else b"default", args[-1])
    return "OK"


@command("ping", -1, keys=none)
def ping(db: Database, args: Args) -> str | bytes:
    if len(args) > 2:
        raise CommandError("ERR wrong number of arguments for 'ping' command")
    return args[1] if len(args) == 2 else "PONG"


@command("select", 2, keys=none, is_of_session=True)
def select(session: Session, args: Args) -> str:
    """There is one database."""
    if integer(args[1], "ERR value is not an integer or out of range") != 0:
        raise CommandError("ERR DB index is out of range")
    return "OK"


@command("publish", 3, keys=none, channels=first_key)
def publish(db: Database, args: Args) -> int:
    return db.publish(args[1], args[2])


@command("subscribe", -2, keys=none, channels=all_of, is_of_session=True)
def subscribe(session: Session, args: Args) -> Reply:
    return session.subscribe(args[1:])


@command("unsubscribe", -1, keys=none, is_of_session=True)
def unsubscribe(session: Session, args: Args) -> Reply:
    return session.unsubscribe(args[1:])
