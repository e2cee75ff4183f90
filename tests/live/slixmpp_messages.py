"""slixmpp as in `slixmpp_client.py`, with the plugins for messages: carbons, archive, client state, managed streams.

Started as `python slixmpp_messages.py JID PASSWORD HOST PORT CA_FILE`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from slixmpp import JID
from slixmpp_client import Client, main, report


class MessagesClient(Client):
    """Does what it is told with slixmpp's own plugins."""

    def __init__(self, jid: str, password: str, ca_file: str) -> None:
        super().__init__(jid, password, ca_file)
        for plugin in ("xep_0059", "xep_0198", "xep_0280", "xep_0313", "xep_0352", "xep_0359", "xep_0441"):
            self.register_plugin(plugin)
        for direction in ("received", "sent"):
            self.add_event_handler(f"carbon_{direction}", self.on_carbon)
        self.add_event_handler("sm_enabled", lambda enabled: report(event="managed", resume=bool(enabled["id"])))
        self.add_event_handler("session_resumed", lambda _: report(event="resumed"))
        self.add_event_handler("sm_failed", lambda _: report(event="not resumed"))
        self.add_event_handler("stanza_acked", lambda stanza: report(event="acked", body=stanza["body"]))
        self.port = 0

    def connect(self, host: str, port: int) -> Any:
        self.host, self.port = host, port
        return super().connect(host, port)

    def on_carbon(self, message: Any) -> None:
        direction = "received" if message.get_plugin("carbon_received", check=True) else "sent"
        copy = message[f"carbon_{direction}"]
        report(event=f"carbon {direction}", body=copy["body"], **{"from": str(copy["from"])}, to=str(copy["to"]))

    async def do_carbons(self) -> None:
        await self.plugin["xep_0280"].enable(timeout=60)
        report(event="carbons")

    async def do_history(self, with_: str, page: int) -> None:
        """All messages with somebody, page by page."""
        found = self.plugin["xep_0313"].iterate(with_jid=JID(with_), rsm={"max": page})
        messages = [message["mam_result"] async for message in found]
        bodies = [result["forwarded"]["stanza"]["body"] for result in messages]
        stamps = [result["forwarded"]["delay"]["stamp"].isoformat() for result in messages]
        report(event="history", bodies=bodies, ids=[result["id"] for result in messages], stamps=stamps)

    async def do_metadata(self) -> None:
        reply = await self.plugin["xep_0313"].get_archive_metadata(timeout=60)
        start, end = reply["mam_metadata"]["start"], reply["mam_metadata"]["end"]
        report(event="metadata", start=start["id"], end=end["id"])

    async def do_preferences(self, default: str, never: list[str]) -> None:
        plugin = self.plugin["xep_0441"]
        await plugin.set_preferences(default=default, always=[], never=[JID(jid) for jid in never], timeout=60)
        applied, _, never_now = await plugin.get_preferences(timeout=60)
        report(event="preferences", default=applied, never=sorted(map(str, never_now)))

    async def do_inactive(self) -> None:
        self.plugin["xep_0352"].send_inactive()

    async def do_active(self) -> None:
        self.plugin["xep_0352"].send_active()

    async def do_drop(self) -> None:
        """The connection breaks."""
        self.abort()

    async def do_return(self) -> None:
        """Connect again."""
        self.connect(self.host, self.port)


if __name__ == "__main__":
    asyncio.run(main(MessagesClient))
