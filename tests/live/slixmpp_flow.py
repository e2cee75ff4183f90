"""A client on a managed stream (XEP-0198) that writes many messages, and comes back whenever its connection breaks.

Started as `slixmpp_client.py` is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from slixmpp.xmlstream.xmlstream import NotConnectedError
from slixmpp_client import Client, main, report

AGAIN_AFTER_S = 0.1


class FlowClient(Client):
    """Keeps the messages that it got; says when its stream is managed, and when it was resumed."""

    def __init__(self, jid: str, password: str, ca_file: str) -> None:
        super().__init__(jid, password, ca_file)
        self.register_plugin("xep_0198")
        self.register_plugin("xep_0359")
        self.got: list[list[str]] = []
        self.wanted = 0
        self.is_flowing = asyncio.Event()
        self.add_event_handler("sm_enabled", lambda _: self.is_flowing.set())
        self.add_event_handler("sm_enabled", lambda _: report(event="managed"))
        self.add_event_handler("session_resumed", self.on_resumed)
        self.add_event_handler("disconnected", self.on_disconnected)

    def on_message(self, message: Any) -> None:
        self.got.append([message["body"] or message["type"], message["stanza_id"]["id"]])
        if len(self.got) == self.wanted:
            report(event="got so many", count=self.wanted)

    def connection_lost(self, exception: BaseException | None) -> None:
        self.is_flowing.clear()
        super().connection_lost(exception)

    def write(self, to: str, body: str) -> None:
        """In one step, where slixmpp would hand the message to a task: what that has not come to when the connection
        breaks, it neither sends nor keeps, or sends ahead of what it sends again.
        """
        message = self.make_message(mto=to, mbody=body, mtype="chat")
        with suppress(NotConnectedError):  # then it is sent when the stream is resumed
            self.plugin["xep_0198"]._handle_outgoing(message)
            self.send_raw(str(message))

    async def on_resumed(self, resumed: Any) -> None:
        await self.waiting_queue.join()  # after what is sent again
        if self.plugin["xep_0198"].enabled_out:
            self.is_flowing.set()
        report(event="resumed")

    async def on_disconnected(self, reason: object) -> None:
        await asyncio.sleep(AGAIN_AFTER_S)
        self.connect(*self.address)

    async def do_flow(self, to: str, count: int, per_second: float) -> None:
        """Write so many, numbered; none while the connection is broken."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, start_s + number / per_second - loop.time()))
            await self.is_flowing.wait()
            self.write(to, str(number))
        report(event="flowed")

    async def do_want(self, count: int) -> None:
        """Say when so many messages have come."""
        self.wanted = count
        if len(self.got) >= count:
            report(event="got so many", count=count)

    async def do_show(self) -> None:
        report(event="got", messages=self.got)

    async def do_cut(self) -> None:
        """Break the connection, without a goodbye."""
        self.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(FlowClient))
