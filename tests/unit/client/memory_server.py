"""A server's side of XEP-0198 in memory, which is told when to break and what to forget."""

from __future__ import annotations

from collections import deque

from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, SM
from cluster.xmpp.parser import Slice, StreamHeader, StreamParser
from cluster.xmpp.streams.login import Bound, Resumption

ROMEO = Jid("romeo", "montague.lit", "pda")


class Line:
    """One connection, as the client has it: a `BlockingClient` whose server is in memory."""

    def __init__(self, server: Server, bound: Bound) -> None:
        self.bound = bound
        self.jid = bound.jid
        self.is_cut = False
        self.to_client: deque[Slice] = deque()
        self._server = server
        self._parser = StreamParser()
        self._parse(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='http://etherx.jabber.org/streams'>".encode())

    def _parse(self, raw: bytes) -> list[Slice]:
        found: list[object] = []
        self._parser.feed(raw, found)
        return [each for each in found if isinstance(each, Slice) and not isinstance(each, StreamHeader)]

    def send(self, raw: bytes, timeout_s: float | None = None) -> None:
        if self.is_cut:
            raise BrokenPipeError
        for child in self._parse(raw):
            self._server.take(self, child)

    def receive(self, timeout_s: float | None = None) -> Slice | None:
        if self.is_cut:
            raise ConnectionResetError
        if not self.to_client:
            raise TimeoutError
        return self.to_client.popleft()

    def tell(self, raw: bytes) -> None:
        """Something for the client."""
        parser, found = StreamParser(), []
        parser.feed(f"<s:stream xmlns='{CLIENT}' xmlns:s='http://etherx.jabber.org/streams'>".encode(), found)
        found.clear()
        parser.feed(raw, found)
        self.to_client.extend(found)

    def cut(self) -> None:
        self.is_cut = True

    def close(self) -> None:
        self.is_cut = True


class Server:
    """Keeps one stream, counts what comes, and may forget it."""

    def __init__(self) -> None:
        self.got: list[str] = []
        """Ids of the messages, in the order in which they came; presences as `presence`."""
        self.handled = 0
        self.acknowledged_by_client = 0
        self.resumptions: list[Resumption] = []
        self.lines: list[Line] = []
        self.away = 0
        """So many connections are refused."""
        self.forgets = False
        self.tells_h = False
        """A server that has forgotten a stream may say how many it had handled."""
        self.loses = 0
        """So many stanzas are lost on the way, and then the connection is."""
        self.answers = True
        self.early: list[bytes] = []

    def connect(self, resumption: Resumption | None) -> Line:
        if self.away:
            self.away -= 1
            raise ConnectionRefusedError
        bound = Bound(ROMEO)
        if resumption is not None:
            self.resumptions.append(resumption)
            if not self.forgets:
                bound = Bound(ROMEO, True, self.handled)
            elif self.tells_h:
                bound = Bound(ROMEO, False, self.handled)
        if not bound.is_resumed:
            self.handled = 0
        self.lines.append(Line(self, bound))
        return self.lines[-1]

    @property
    def line(self) -> Line:
        return self.lines[-1]

    def take(self, line: Line, child: Slice) -> None:
        if line.is_cut:
            return
        if child.name == f"{SM} enable":
            for raw in self.early:
                line.tell(raw)
            line.tell(f"<enabled xmlns='{SM}' id='sm-{len(self.lines)}' resume='true'/>".encode())
        elif child.name == f"{SM} a":
            self.acknowledged_by_client = int(child.attributes["h"])
        elif child.name == f"{SM} r":
            if self.answers:
                self.acknowledge(line)
        elif self.loses:
            self.loses -= 1
            if not self.loses:
                line.cut()
        else:
            self.handled += 1
            self.got.append(child.attributes.get("id", "presence"))

    def acknowledge(self, line: Line) -> None:
        line.tell(f"<a xmlns='{SM}' h='{self.handled}'/>".encode())
