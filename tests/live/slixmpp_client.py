"""A real client in a process of its own: slixmpp, told what to do by JSON lines on stdin, reporting on stdout.

Started as `python slixmpp_client.py JID PASSWORD HOST PORT CA_FILE`; an empty CA_FILE means no TLS.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import slixmpp


class Client(slixmpp.ClientXMPP):
    """Reports what it sees; does what it is told."""

    def __init__(self, jid: str, password: str, ca_file: str) -> None:
        config = {"feature_mechanisms": {"unencrypted_scram": True, "unencrypted_plain": True}}
        super().__init__(jid, password, plugin_config=config)
        self.address: tuple[str, int]
        self.auto_authorize = None  # the test answers requests itself
        self.auto_subscribe = False
        if ca_file:
            self.ca_certs = Path(ca_file)
            self.enable_direct_tls = False
        else:
            self.enable_plaintext, self.enable_starttls, self.enable_direct_tls = True, False, False
        for plugin in ("xep_0030", "xep_0092", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: report(event="session", jid=str(self.boundjid)))
        self.add_event_handler("failed_all_auth", lambda _: report(event="refused"))
        self.add_event_handler("disconnected", lambda _: report(event="disconnected"))
        self.add_event_handler("message", self.on_message)
        self.add_event_handler("message_error", self.on_message)
        self.add_event_handler("roster_update", self.on_roster)
        for name in (
            "presence_available", "presence_unavailable", "presence_subscribe", "presence_subscribed",
            "presence_unsubscribe", "presence_unsubscribed", "presence_error",
        ):  # fmt: skip
            self.add_event_handler(name, self.on_presence)

    def on_message(self, message: Any) -> None:
        report(
            event="message",
            type=message["type"],
            body=message["body"],
            **{"from": str(message["from"])},
            id=message["id"],
            delayed=message["delay"]["stamp"].isoformat() if message.get_plugin("delay", check=True) else None,
            condition=message["error"]["condition"] if message["type"] == "error" else None,
        )

    def on_presence(self, presence: Any) -> None:
        report(event="presence", type=presence["type"], status=presence["status"], **{"from": str(presence["from"])})

    def on_roster(self, iq: Any) -> None:
        items = {
            str(jid): {"subscription": item["subscription"], "name": item["name"], "ask": item["ask"]}
            for jid, item in iq["roster"]["items"].items()
        }
        report(event="roster", type=iq["type"], items=items)

    async def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order: `do` names a method below; a request reports its reply."""
        name = order.pop("do")
        try:
            await getattr(self, f"do_{name}")(**order)
        except slixmpp.exceptions.IqError as error:
            report(event="refused", do=name, condition=error.condition)

    async def do_presence(self, **fields: Any) -> None:
        self.send_presence(**fields)

    async def do_message(self, to: str, body: str, type: str = "chat") -> None:
        self.send_message(mto=to, mbody=body, mtype=type)

    async def do_roster(self) -> None:
        await self.get_roster()

    async def do_roster_remove(self, jid: str) -> None:
        await self.del_roster_item(jid)

    async def do_ping(self, to: str) -> None:
        report(event="pong", rtt_s=await self["xep_0199"].ping(to, timeout=60))

    async def do_info(self, to: str) -> None:
        reply = await self["xep_0030"].get_info(jid=to, timeout=60)
        info = reply["disco_info"]
        identities = sorted(f"{category}/{type_}" for category, type_, *_ in info["identities"])
        report(event="info", features=sorted(info["features"]), identities=identities)

    async def do_version(self, to: str) -> None:
        reply = await self["xep_0092"].get_version(to, timeout=60)
        report(event="version", name=reply["software_version"]["name"])

    async def do_raw(self, xml: str) -> None:
        self.send_raw(xml)

    async def do_quit(self) -> None:
        await self.disconnect(wait=5)


def report(**what: Any) -> None:
    """Write one line for the test to read."""
    print(json.dumps(what), flush=True)


async def main(kind: type[Client] = Client) -> None:
    """Connect, then obey until stdin ends or the session does."""
    jid, password, host, port, ca_file = sys.argv[1:]
    client = kind(jid, password, ca_file)
    client.address = host, int(port)
    client.connect(*client.address)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    obeying = set()
    while line := await reader.readline():
        task = asyncio.create_task(client.obey(json.loads(line)))
        obeying.add(task)
        task.add_done_callback(obeying.discard)
    await client.disconnect(wait=1)


if __name__ == "__main__":
    asyncio.run(main())
