"""Many clients that never log in: `python crowd.py HOST PORT DOMAIN STEP COUNT`, which reports as JSON lines.

STEP is how far each of them goes before it falls silent, for good: it does not close its stream either. It reports
`waiting` when all are there, `told` when all have heard connection-timeout, and `ended` when no connection is left:
how many were told, and how many were just cut off.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys

HEADER = (
    "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1yb21lbyxyPWFiYw==</auth>"
STEPS = {
    "nothing": ("", b""),
    "half a header": ("<?xml version='1.0'?><stream:stream to=", b""),
    "header": (HEADER, b"</stream:features>"),
    "login": (HEADER + AUTH, b"</challenge>"),
}
"""What each says, and how it knows that the server has read it."""
AT_ONCE = 200
"""Connections that are under way at the same time."""


class Silent(asyncio.Protocol):
    """One of the crowd."""

    def __init__(self, says: str, expects: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.told: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._says, self._expects = says, expects
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._says.encode())
        self._advance()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        self._advance()

    def _advance(self) -> None:
        if self._expects in self._heard and not self.ready.done():
            self.ready.set_result(None)
        if b"<connection-timeout " in self._heard and not self.told.done():
            self.told.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"ended too early: {self._heard!r}"))
        self.ended.set_result(None)


async def main() -> None:
    host, port, domain, step, count = sys.argv[1:]
    says, expects = STEPS[step]
    loop, under_way = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

    async def one() -> Silent:
        async with under_way:
            _, silent = await loop.create_connection(lambda: Silent(says.format(domain), expects), host, int(port))
            await silent.ready
            return silent

    crowd = await asyncio.gather(*[one() for _ in range(int(count))])
    print(json.dumps({"event": "waiting"}), flush=True)
    asyncio.gather(*[silent.told for silent in crowd]).add_done_callback(
        lambda _: print(json.dumps({"event": "told"}), flush=True)
    )
    await asyncio.gather(*[silent.ended for silent in crowd])
    told = sum(silent.told.done() for silent in crowd)
    print(json.dumps({"event": "ended", "told": told, "cut_off": len(crowd) - told}), flush=True)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main())
