"""slixmpp as in `slixmpp_client.py`, with the plugins for what an account keeps and asks.

Started as `python slixmpp_modules.py JID PASSWORD HOST PORT CA_FILE`. A JID that is a domain logs in anonymously; on
the port for direct TLS it begins with TLS.
"""

from __future__ import annotations

import asyncio
from typing import Any
from xml.etree.ElementTree import fromstring, tostring

from slixmpp import JID
from slixmpp_client import Client, main, report

DIRECT_TLS_PORT = 5223


class ModulesClient(Client):
    """Does what it is told with slixmpp's own plugins."""

    def __init__(self, jid: str, password: str, ca_file: str) -> None:
        super().__init__(jid, password, ca_file)
        for plugin in ("xep_0012", "xep_0048", "xep_0049", "xep_0054", "xep_0115", "xep_0191", "xep_0202"):
            self.register_plugin(plugin)
        for name in ("blocked", "unblocked"):
            self.add_event_handler(name, self.on_blocks)

    def connect(self, host: str, port: int) -> Any:
        if port == DIRECT_TLS_PORT:
            self.enable_direct_tls, self.enable_starttls = True, False
        return super().connect(host, port)

    def on_blocks(self, iq: Any) -> None:
        payload = iq["block"] if iq.get_plugin("block", check=True) else iq["unblock"]
        report(event="block push", name=payload.name, jids=sorted(str(item["jid"]) for item in payload))

    async def do_last(self, to: str) -> None:
        reply = await self["xep_0012"].get_last_activity(JID(to), timeout=60)
        report(event="last", seconds=reply["last_activity"]["seconds"], status=reply["last_activity"]["status"])

    async def do_time(self, to: str) -> None:
        reply = await self["xep_0202"].get_entity_time(JID(to), timeout=60)
        time = reply["entity_time"].xml  # what slixmpp makes of its texts fails for every time there is (1.17.0)
        report(event="time", **{child.tag.partition("}")[2]: child.text for child in time})

    async def do_vcard_set(self, name: str, photo: str) -> None:
        vcard = self["xep_0054"].make_vcard()
        vcard["FN"] = name
        vcard["PHOTO"]["TYPE"], vcard["PHOTO"]["BINVAL"] = "image/png", photo.encode()
        await self["xep_0054"].publish_vcard(vcard, timeout=60)
        report(event="vcard set")

    async def do_vcard(self, to: str) -> None:
        reply = await self["xep_0054"].get_vcard(JID(to), cached=False, timeout=60)
        vcard = reply["vcard_temp"]
        report(event="vcard", name=vcard["FN"], photo=vcard["PHOTO"]["BINVAL"].decode())

    async def do_bookmark(self, room: str) -> None:
        bookmarks = self["xep_0048"].stanza.Bookmarks()
        bookmarks.add_conference(JID(room), "romeo")
        await self["xep_0049"].store(bookmarks, timeout=60)
        report(event="bookmarked")

    async def do_bookmarks(self) -> None:
        reply = await self["xep_0049"].retrieve("bookmarks", timeout=60)
        rooms = [str(conference["jid"]) for conference in reply["private"]["bookmarks"]["conferences"]]
        report(event="bookmarks", rooms=rooms)

    async def do_block(self, jid: str) -> None:
        await self["xep_0191"].block(JID(jid), timeout=60)

    async def do_unblock(self, jid: str) -> None:
        await self["xep_0191"].unblock(JID(jid), timeout=60)

    async def do_blocklist(self) -> None:
        report(event="blocklist", jids=sorted(map(str, await self["xep_0191"].get_blocked_jids(timeout=60))))

    async def do_caps(self) -> None:
        """What the server advertised, and what slixmpp makes of its features."""
        domain = self.boundjid.domain
        info = await self["xep_0030"].get_info(jid=domain, timeout=60)
        made = self["xep_0115"].generate_verstring(info["disco_info"], "sha-1")
        report(event="caps", advertised=await self["xep_0115"].get_verstring(domain), made=made)

    async def do_iq(self, type: str, xml: str, to: str = "") -> None:
        """A request as it is; reports the payload of its result."""
        iq = self.make_iq(itype=type, ito=to or None)
        iq.append(fromstring(xml))
        reply = await iq.send(timeout=60)
        report(event="result", payload=[tostring(child, encoding="unicode") for child in reply.xml])


if __name__ == "__main__":
    asyncio.run(main(ModulesClient))
