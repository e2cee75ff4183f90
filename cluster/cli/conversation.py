"""The lines that a user types in `xmpplab chat`, and the lines that show what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from cluster.client.messenger import Contact, Event, Messenger
from cluster.lab.api import BadInput
from cluster.trace.terminal import safe_indented, safe_line
from cluster.xmpp.element import check_text
from cluster.xmpp.jid import Jid

HELP = """\
text              to whom the prompt names; a message to you chooses its sender where nobody is chosen
/to WHO           choose whom you write to
/msg WHO TEXT     write to somebody once
/roster           your contacts, and how they are
/add WHO          put on the roster, and ask to see the presence
/accept [WHO]     let somebody see your presence; without a name, who asked first
/deny [WHO]       do not, or no more
/remove WHO       off the roster
/online [TEXT]    tell your contacts how you are; also /away, /dnd
/block [WHO]      hear nothing of somebody; without a name, show who is blocked
/unblock WHO
/help             this
/quit             or Ctrl-D
WHO is an address or a unique name: of a contact, an account, a phone or a mailbox."""

QUIT = "/quit"
_SHOWS = {"/online": "", "/away": "away", "/dnd": "dnd"}
COMMANDS = (
    "/to", "/msg", "/roster", "/add", "/accept", "/deny", "/remove", *_SHOWS, "/block", "/unblock", "/help", QUIT,
)  # fmt: skip


class Conversation:
    """One user at the terminal; its methods yield the lines to show."""

    def __init__(
        self, messenger: Messenger, find: Callable[[str], Jid], peer: Jid | None, now: Callable[[], datetime]
    ) -> None:
        """`find` resolves a name that no contact has, and raises BadInput; `now` is in the user's time zone."""
        self.peer = peer
        self._messenger = messenger
        self._find = find
        self._now = now

    def type(self, line: str) -> Iterator[str]:
        """Execute a typed line. Yields QUIT where the user leaves."""
        if not line.strip():
            return
        try:
            check_text(line)
            if line.startswith("/") and not line.startswith("//"):
                command, _, rest = line.strip().partition(" ")
                yield from self._command(command, rest.strip())
            else:
                yield self._write(self._peer(), line.removeprefix("/") if line.startswith("//") else line)
        except (BadInput, ValueError) as error:
            yield safe_line(str(error))

    def _command(self, command: str, rest: str) -> Iterator[str]:
        messenger = self._messenger
        match command:
            case "/help":
                yield HELP
            case "/to":
                self.peer = self._who(rest)
            case "/msg":
                name, _, text = rest.partition(" ")
                if not text.strip():
                    raise BadInput("write it like `/msg juliet But, soft!`")
                yield self._write(self._who(name), text.strip())
            case "/roster":
                yield from self._roster()
            case "/online" | "/away" | "/dnd":
                messenger.show(_SHOWS[command], rest)  # type: ignore[arg-type]
            case "/block" if not rest:
                yield safe_line(", ".join(sorted(map(str, messenger.blocked))) or "nobody is blocked")
            case "/accept" | "/deny":
                yield self._answer(rest, yes=command == "/accept")
            case "/add" | "/remove" | "/block" | "/unblock":
                yield self._change(command, self._who(rest).bare)
            case _:
                raise BadInput(f"unknown command {command}; /help lists the commands, and // begins a text with a /")

    def _answer(self, name: str, *, yes: bool) -> str:
        asking = self._messenger.requests
        if not name and not asking:
            raise BadInput("no subscription request is waiting; name an account")
        jid = self._who(name).bare if name else next(iter(asking))
        self._messenger.answer(jid, yes=yes)
        return safe_line(f"{jid} {'may see' if yes else 'may not see'} your presence")

    def _change(self, command: str, jid: Jid) -> str:
        messenger = self._messenger
        match command:
            case "/add":
                messenger.subscribe(jid)
                return safe_line(f"{jid} is asked")
            case "/remove":
                messenger.remove(jid)
                return safe_line(f"{jid} is removed")
            case _:
                messenger.block(jid, yes=command == "/block")
                return safe_line(f"{jid} is {command[1:]}ed")

    def _write(self, to: Jid, text: str) -> str:
        self._messenger.write(to, text)
        return self._said(self._now(), "you", text)

    def _peer(self) -> Jid:
        if self.peer is None:
            raise BadInput("no recipient; choose one with `/to juliet` (/help lists the commands)")
        return self.peer

    def _who(self, name: str) -> Jid:
        """A contact by its name, localpart or address, otherwise what `find` returns. Raises BadInput."""
        if not name:
            raise BadInput("name missing; write it like `/to juliet`")
        wanted = name.casefold()
        found = [c.jid for c in self._messenger.roster.values() if wanted in (c.name.casefold(), c.jid.localpart)]
        return found[0] if len(found) == 1 else self._find(name)

    def _roster(self) -> Iterator[str]:
        contacts = sorted(self._messenger.roster.values(), key=lambda contact: (not contact.there, contact.jid))
        yield from map(_contact, contacts)
        for jid in self._messenger.requests:
            yield safe_line(f"{jid} asks to see your presence: /accept or /deny")
        if not contacts:
            yield "your roster is empty; `/add juliet` asks somebody"

    def show(self, event: Event) -> str:
        """Show an event; the first message chooses its sender as the recipient."""
        who = str(event.who)
        match event.what:
            case "message":
                if self.peer is None:
                    self.peer = event.who.bare
                zone = self._now().tzinfo
                at = self._now() if event.sent_utc_s is None else datetime.fromtimestamp(event.sent_utc_s, zone)
                return self._said(at, str(event.who.bare), event.text)
            case "presence" | "subscription":
                return safe_line(f"* {who} {event.text}")
            case "request":
                return safe_line(f"* {who} asks to see your presence: /accept or /deny")
            case "bounced":
                return safe_line(f"* not delivered to {who}: {event.text}")
            case "refused":
                return safe_line(f"* {event.text}")

    def _said(self, at: datetime, who: str, text: str) -> str:
        moment = at.strftime("%H:%M:%S" if at.date() == self._now().date() else "%Y-%m-%d %H:%M:%S")
        return f"{moment}  {safe_line(who)}: {safe_indented(text, ' ' * 10)}"

    def words(self) -> list[str]:
        """The words that Tab completes after a command: contacts, and accounts with a request."""
        known = [*self._messenger.roster, *self._messenger.requests]
        return sorted({safe_line(str(jid)) for jid in known})


def _contact(contact: Contact) -> str:
    names = {"both": "", "to": "does not see you", "from": "is not seen by you", "none": "neither sees the other"}
    how = ", ".join(f"{resource} {text}" for resource, text in contact.there.items()) or "not there"
    notes = ["has not answered" if contact.is_pending else "", names.get(contact.subscription, "")]
    more = "; ".join(note for note in notes if note)
    name = f" ({contact.name})" if contact.name else ""
    return safe_line(f"{contact.jid}{name}: {how}" + (f"; {more}" if more else ""))
