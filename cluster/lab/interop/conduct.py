"""What a server makes of another one that proves its domain, and then does what it must not, or breaks down."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from threading import Thread
from typing import NamedTuple

from cluster.lab.api import Lab
from cluster.lab.checking.wire import Ended
from cluster.lab.interop.exchange import Exchange
from cluster.lab.interop.person import PASSING, Broken, Person, blamed, body
from cluster.lab.interop.strangers import STRANGER, PlayedServer
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import STREAM_ERRORS

TOO_BIG = 4_000_000
BEFORE_THE_CUT = 100
MANY = 10_000
FLOOD_S = 20.0
"""So long the end of the flood is waited for."""
SLOWEST_S = 2.0
"""A ping of somebody else is answered within this time while the stranger floods the server."""


class Stage(NamedTuple):
    """The lab of a scenario."""

    lab: Lab
    exchange: Exchange

    def person(self, name: str) -> Person:
        """`friend`, to whom the stranger writes, or `watcher`."""
        return Person(self.lab.folder, self.lab.plan, f"{name}@{self.lab.plan.servers[0].domain}", self.exchange)

    def stranger(self) -> PlayedServer:
        """A stream of the stranger, which has logged in."""
        wire = PlayedServer(self.lab, self.exchange)
        wire.secured()
        wire.log_in()
        wire.open()
        return wire


class Misconduct(NamedTuple):
    """One row of the table."""

    name: str
    rule: str
    """What the server must do, with the section."""
    run: Callable[[Stage], str]
    """Returns a remark. Raises Broken."""


def _forged(stage: Stage) -> str:
    """Stanzas from a domain that nobody has authenticated, from a subdomain, from the server's own one."""
    own = stage.lab.plan.servers[0].domain
    found = []
    with stage.person("friend") as friend:
        friend.presence()
        for sender in ("romeo@nowhere.invalid", f"romeo@sub.{STRANGER}", f"watcher@{own}"):
            with stage.stranger() as wire:
                wire.send(f"<message from='{sender}' to='{friend.full}'><body>forged</body></message>")
                found.append(_end_of(wire))
        friend.ask(own, "<ping xmlns='urn:xmpp:ping'/>")
        if any(body(each) == "forged" for each in friend.drained(0.5)):
            raise Broken("a forged stanza was delivered", "there")
    if "" in found:
        raise Broken("a forged stanza is dropped, and the stream stays open", "there")
    return f"the stream is closed: {', '.join(dict.fromkeys(found))}"


def _end_of(wire: PlayedServer) -> str:
    """The condition by which the server ends the stream; empty if it does not."""
    try:
        error = wire.child("error")
    except Ended:
        return "without a word"
    except TimeoutError:
        return ""
    except (OSError, StreamError):
        return "the connection is cut"
    names = [each.tag.partition("}")[2] for each in error if each.tag.startswith(f"{{{STREAM_ERRORS}}}")]
    return next(name for name in names if name != "text")


def _too_big(stage: Stage) -> str:
    with stage.person("friend") as friend:
        friend.presence()
        with stage.stranger() as wire:
            with suppress(OSError):  # it does not read to the end what it will not take
                wire.send(_message(friend, "x" * TOO_BIG))
            end = _end_of(wire)
        with blamed("there", "RFC 6120 section 13.12"), stage.stranger() as wire:
            wire.send(_message(friend, "behind it"))
            found = friend.see("the next message", lambda each: body(each) is not None)
        if body(found) != "behind it":
            raise Broken(f"a stanza of {TOO_BIG:,} bytes was delivered: there is no bound", "there")
    if not end:
        raise Broken(f"a stanza of {TOO_BIG:,} bytes vanishes, and the stream stays open", "there")
    return f"the stream is closed: {end}"


def _cut(stage: Stage) -> str:
    with stage.person("friend") as friend:
        friend.presence()
        with stage.stranger() as wire:
            whole = "".join(_message(friend, str(number)) for number in range(BEFORE_THE_CUT))
            wire.send(whole + _message(friend, "half")[:-20])
        with blamed("there", "RFC 6120 section 4.4"):
            for number in range(BEFORE_THE_CUT):
                found = friend.see(f"message {number}", lambda each: body(each) is not None)
                if body(found) != str(number):
                    raise Broken(f"message {body(found)} came in place of {number}")
            with stage.stranger() as wire:
                wire.send(_message(friend, "afterwards"))
                found = friend.see("a message over the next stream", lambda each: body(each) is not None)
        if body(found) != "afterwards":
            raise Broken(f"{body(found)!r} came, half of which had been cut off", "there", "RFC 6120 section 11.3")
    return ""


def _flood(stage: Stage) -> str:
    """Somebody else's pings, while the stranger sends as fast as it can."""
    own = stage.lab.plan.servers[0].domain
    arrived: list[str] = []
    times_s: list[float] = []
    with stage.person("friend") as friend, stage.person("watcher") as watcher, stage.stranger() as wire:
        friend.presence()
        flood = "".join(_message(friend, str(number)) for number in range(MANY))
        sending, reading = Thread(target=_pour, args=(wire, flood)), Thread(target=_read, args=(friend, arrived))
        began_s = time.monotonic()
        for thread in (sending, reading):
            thread.start()
        while reading.is_alive() or not times_s:
            asked_s = time.monotonic()
            watcher.ask(own, "<ping xmlns='urn:xmpp:ping'/>")
            times_s.append(time.monotonic() - asked_s)
            reading.join(0.02)
        took_s = time.monotonic() - began_s
        sending.join()
    told = f"others' pings: median {median(times_s) * 1000:.0f} ms, slowest {max(times_s) * 1000:.0f} ms"
    if max(times_s) > SLOWEST_S:
        raise Broken(told, "there")
    if arrived != [str(number) for number in range(len(arrived))]:
        raise Broken(f"of {len(arrived):,} messages that arrived some are missing, or out of order", "there")
    few = "" if len(arrived) == MANY else f"{len(arrived):,} of "  # it reads no faster than it likes to
    return f"{few}{MANY:,} messages arrive in {took_s:.1f} s; {told}"


def _pour(wire: PlayedServer, text: str) -> None:
    with suppress(OSError):  # told by what does not arrive
        wire.send(text)


def _read(friend: Person, arrived: list[str]) -> None:
    until_s = time.monotonic() + FLOOD_S
    with suppress(Broken):
        while len(arrived) < MANY and (left_s := until_s - time.monotonic()) > 0:
            arrived.append(body(friend.see("message", lambda each: body(each) is not None, left_s)) or "")


def _message(to: Person, text: str) -> str:
    return f"<message from='juliet@{STRANGER}/x' to='{to.full}' type='chat'><body>{text}</body>{PASSING}</message>"


MISCONDUCT = (
    Misconduct("forged sender", "a stanza from another domain ends the stream (RFC 6120 section 8.1.2.2)", _forged),
    Misconduct("stanza too big", "it ends the stream: policy-violation (RFC 6120 section 13.12)", _too_big),
    Misconduct("stream that is cut", "what came whole counts, half a stanza does not (RFC 6120 section 4.4)", _cut),
    Misconduct("flood", "others are answered meanwhile (RFC 6120 section 13.12)", _flood),
)
