"""A client that manages its stream (XEP-0198): it keeps what the server has not acknowledged, and always comes back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from tests.torture.ledger import Ledger, Seen
from tests.torture.stream import BIND, CLIENT, SID, SM, Part, Stream, StreamEnded, log_in

RETRY_S = 0.1
ASK_EVERY = 20
"""An acknowledgement is asked for after this number of messages."""

_STANZAS = {f"{CLIENT} message", f"{CLIENT} presence", f"{CLIENT} iq"}
Address = tuple[str, int]


class Client:
    """One account with one resource."""

    def __init__(self, account: str, password: str, addresses: Sequence[Address], ca_file: str, ledger: Ledger) -> None:
        """`addresses`: of all nodes of its domain; the first that takes it is used."""
        self.account = account
        self.resumed = self.begun = self.refused = 0
        self.addresses = list(addresses)
        self._user, self._domain = account.split("@")
        self._password = password
        self._ca_file = ca_file
        self._ledger = ledger
        self._stream: Stream | None = None
        self._sm_id = ""
        self._received = 0
        self._unacknowledged: deque[str] = deque()
        """Bodies; empty for what is no message."""
        self._to: dict[str, str] = {}
        self._acknowledged = 0
        self.is_ready = asyncio.Event()

    @property
    def unacknowledged(self) -> int:
        """Messages that the server has not acknowledged."""
        return len(self._unacknowledged)

    def send(self, to: str, body: str) -> None:
        """Write it, now or when the connection is back."""
        self._ledger.send(body, self.account, to)
        self._to[body] = to
        self._unacknowledged.append(body)
        if self._stream is not None:
            self._write_message(self._stream, body)

    def ask(self) -> None:
        """Ask for an acknowledgement."""
        if self._stream is not None:
            self._stream.write(f"<r xmlns='{SM}'/>")

    async def run(self) -> None:
        """Come back after each break, until cancelled."""
        try:
            while True:
                with suppress(StreamEnded, OSError, TimeoutError):
                    await self._live(await self._connect())
                self._drop()
                self.refused += 1
                await asyncio.sleep(RETRY_S)
        finally:
            self._drop()

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _connect(self) -> Stream:
        last: Exception = StreamEnded("no address")
        for address in self.addresses:
            try:
                return await log_in(address, self._user, self._domain, self._password, self._ca_file)
            except (StreamEnded, OSError, TimeoutError) as error:
                last = error
        raise last

    async def _live(self, stream: Stream) -> None:
        try:
            if not (self._sm_id and await self._resume(stream)):
                await self._begin(stream)
            self._stream = stream
            self.is_ready.set()
            while True:
                self._read(stream, await stream.read())
        finally:
            stream.close()

    async def _resume(self, stream: Stream) -> bool:
        """Section 5: the stream goes on. False where the server does not know it."""
        stream.write(f"<resume xmlns='{SM}' previd='{self._sm_id}' h='{self._received}'/>")
        part = await stream.read_named(f"{SM} resumed", f"{SM} failed")
        if "h" in part.attributes:
            self._acknowledge(int(part.attributes["h"]))
        if part.name != f"{SM} resumed":
            self._sm_id = ""
            return False
        self.resumed += 1
        for body in self._unacknowledged:
            if body:
                self._write_message(stream, body)
            else:
                stream.write("<presence/>")
        return True

    async def _begin(self, stream: Stream) -> None:
        """A new session: bind, manage the stream, be available, and send again what the old one did not take."""
        stream.write(f"<iq type='set' id='bind'><bind xmlns='{BIND}'/></iq>")
        while (await stream.read_named(f"{CLIENT} iq")).attributes.get("id") != "bind":
            pass
        stream.write(f"<enable xmlns='{SM}' resume='true'/>")
        enabled = await stream.read_named(f"{SM} enabled")
        self._sm_id, self._received, self._acknowledged = enabled.attributes.get("id", ""), 0, 0
        left = [body for body in self._unacknowledged if body]
        self._unacknowledged = deque(["", *left])
        stream.write("<presence/>")
        for body in left:
            self._write_message(stream, body)
        self.begun += 1

    def _write_message(self, stream: Stream, body: str) -> None:
        self._ledger.written[body] += 1
        stream.write(f"<message to='{self._to[body]}' type='chat' id='{body[:16]}'><body>{body}</body></message>")
        if len(self._unacknowledged) % ASK_EVERY == 0:
            stream.write(f"<r xmlns='{SM}'/>")

    def _acknowledge(self, h: int) -> None:
        for _ in range(h - self._acknowledged):
            if not self._unacknowledged:
                raise StreamEnded(f"h={h} is more than was sent")
            body = self._unacknowledged.popleft()
            if body:
                self._ledger.acknowledged.add(body)
        self._acknowledged = max(h, self._acknowledged)

    def _read(self, stream: Stream, part: Part) -> None:
        if part.name in _STANZAS:
            self._received += 1
            if part.name == f"{CLIENT} message":
                self._on_message(part)
        elif part.name == f"{SM} r":
            stream.write(f"<a xmlns='{SM}' h='{self._received}'/>")
        elif part.name == f"{SM} a":
            self._acknowledge(int(part.attributes["h"]))

    def _on_message(self, part: Part) -> None:
        get = part.attributes.get
        body = part.child(f"{CLIENT} body")
        words = body.text if body is not None else ""
        ends = self._ledger.sent.get(words)
        if get("type") == "error" and ends is not None and ends[0] == self.account:
            self._ledger.bounce(words)
            return
        given = part.child(f"{SID} stanza-id")
        stanza_id = given.attributes.get("id", "") if given is not None else ""
        sender = get("from", "").partition("/")[0]
        self._ledger.see(Seen(self.account, sender, get("to", ""), get("type", ""), words, stanza_id))
