"""Scenarios that disturb the servers: by a stanza that is too big, by a restart."""

from __future__ import annotations

from cluster.lab.interop.person import Broken, Gone, Person, blamed, body, condition
from cluster.lab.interop.sides import Sides, are_seen, meet, presence_of

BIG = 100_000
TOO_BIG = 1_000_000
"""Characters; more than a server takes of a client by default."""
TAKEN, IN_FLIGHT, AFTER = range(25), range(25, 50), range(50, 100)
"""Messages of `restart`: those that the other server has before it ends, those on their way then, those sent when it
is back."""


def size(sides: Sides) -> str:
    """A big message arrives, one that is too big is refused, and what comes next arrives."""
    one, other = sides.ends("friend")
    with other as there:
        there.presence()
        with one as here:
            here.message(there.full, "x" * BIG)
            found = there.see(f"message of {BIG:,} characters", lambda each: body(each) is not None)
            if body(found) != "x" * BIG:
                raise Broken(f"a message of {BIG:,} characters arrived with {len(body(found) or ''):,}")
        with one as here, blamed("here", "RFC 6120 section 13.12"):
            refused = _refused(here, there)
        with one as here:
            here.message(there.full, "behind it")
            behind = there.see("the message after that", lambda each: body(each) is not None)
            if body(behind) != "behind it":
                raise Broken(
                    f"a message of {TOO_BIG:,} characters arrived, though its sender was told that it is too big"
                )
    return refused


def _refused(here: Person, there: Person) -> str:
    """How the sender's server refuses what is too big."""
    try:
        id = here.message(there.full, "x" * TOO_BIG)
        answer = here.see(f"word of a message of {TOO_BIG:,} characters", lambda each: each.get("id") == id)
    except Gone as gone:
        return f"{TOO_BIG:,} characters: {gone}"
    return f"{TOO_BIG:,} characters come back: {condition(answer)}"


def loss(sides: Sides) -> str:
    """A server restarts: contacts hear that its sessions have ended, and of the return."""
    one, other = sides.ends("friend")
    with one as here:
        with other as there:
            meet(here, there)
            sides.lab.act(sides.there.name, "restart")
            with blamed("there", "RFC 6121 section 4.5.2"):
                here.see(f"unavailable presence of {there.full}", presence_of(there.full, "unavailable"))
        with other as there:
            there.presence()
            are_seen(here, there)
    return ""


def restart(sides: Sides) -> str:
    """Messages are sent before, while and after the other server restarts; what becomes of each is counted."""
    one, other = sides.ends("away")
    with one as here:
        sent = {here.message(other.jid, f"restart {number}"): number for number in TAKEN}
        here.ask(sides.there.domain, "<ping xmlns='urn:xmpp:ping'/>")  # by now that one has these
        sent |= {here.message(other.jid, f"restart {number}"): number for number in IN_FLIGHT}
        sides.lab.act(sides.there.name, "restart")
        sent |= {here.message(other.jid, f"restart {number}"): number for number in AFTER}
        returned = {each.get("id", "") for each in here.drained(3.0) if each.get("type") == "error"} & sent.keys()
        with other as there:
            there.presence()
            bodies = [body(each) for each in there.drained(5.0)]
    arrived = [text for text in bodies if text and text.startswith("restart ")]
    lost = [number for id, number in sent.items() if f"restart {number}" not in arrived and id not in returned]
    counted = f"{len(set(arrived))} arrived, {len(returned)} returned, {len(arrived) - len(set(arrived))} twice"
    if lost:
        raise whose_loss(lost, f"{len(lost)} of {len(sent)} messages are lost without a word ({counted})")
    return counted


def whose_loss(lost: list[int], text: str) -> Broken:
    """Who has lost them, as far as that can be told."""
    taken, after = [each for each in lost if each in TAKEN], [each for each in lost if each in AFTER]
    text += f": {len(taken)} of those that it had, {len(lost) - len(taken) - len(after)} on their way, "
    text += f"{len(after)} sent when it was back"
    if taken:  # it had answered a ping that came after them
        return Broken(text, "there", "XEP-0160 section 3")
    if after:  # the stream that they were written to had ended
        return Broken(text, "here", "RFC 6120 section 10.4")
    return Broken(text)
