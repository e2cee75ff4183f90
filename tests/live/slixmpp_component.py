"""A real component in a process of its own: slixmpp, which echoes messages and reports on stdout as JSON lines.

Started as `python slixmpp_component.py DOMAIN SECRET HOST PORT`; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import slixmpp


def report(**what: Any) -> None:
    """Write one line for the test to read."""
    print(json.dumps(what), flush=True)


class Component(slixmpp.ComponentXMPP):
    """Echoes what it is told, and answers disco and ping."""

    def __init__(self, domain: str, secret: str, host: str, port: int) -> None:
        super().__init__(domain, secret, host, port)
        for plugin in ("xep_0030", "xep_0199"):
            self.register_plugin(plugin)
        self["xep_0030"].add_identity(category="gateway", itype="sms", name="slixmpp")
        self.add_event_handler("session_start", lambda _: report(event="session"))
        self.add_event_handler("disconnected", lambda _: report(event="disconnected"))
        self.add_event_handler("message", self.on_message)
        self.add_event_handler("stream_error", lambda error: report(event="refused", condition=error["condition"]))

    def on_message(self, message: Any) -> None:
        report(event="message", body=message["body"], type=message["type"], **{"from": str(message["from"])})
        if message["type"] != "error":
            reply = message.reply(f"echo {message['body']}")
            reply.send()


async def main() -> None:
    """Connect, and serve until stdin ends."""
    domain, secret, host, port = sys.argv[1:]
    component = Component(domain, secret, host, int(port))
    component.connect()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        pass
    await component.disconnect(wait=1)


if __name__ == "__main__":
    asyncio.run(main())
