"""slixmpp as in `slixmpp_client.py`, with the plugins for publish-subscribe and for what lives on it.

Started as `python slixmpp_pep.py JID PASSWORD HOST PORT CA_FILE`.
"""

from __future__ import annotations

import asyncio
from typing import Any
from xml.etree.ElementTree import fromstring

from slixmpp import JID
from slixmpp_client import Client, main, report

PLUGINS = (
    "xep_0004", "xep_0049", "xep_0048", "xep_0054", "xep_0060", "xep_0080", "xep_0084", "xep_0107", "xep_0108",
    "xep_0115", "xep_0118", "xep_0163", "xep_0172", "xep_0222", "xep_0223", "xep_0292", "xep_0490",
)  # fmt: skip


class PepClient(Client):
    """Does what it is told with slixmpp's own plugins, and reports all notifications that it gets."""

    def __init__(self, jid: str, password: str, ca_file: str) -> None:
        super().__init__(jid, password, ca_file)
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        for event in ("publish", "retract", "purge", "delete", "config", "subscription"):
            self.add_event_handler(f"pubsub_{event}", lambda message, event=event: self.on_event(event, message))

    def on_event(self, event: str, message: Any) -> None:
        [payload] = message.xml.find("{http://jabber.org/protocol/pubsub#event}event")
        ids = [item.get("id") for item in payload]
        names = [child.tag.partition("}")[2] for item in payload for child in item]
        report(event=event, node=payload.get("node"), ids=ids, payloads=names, **{"from": str(message["from"])})

    async def do_come(self, wants: list[str]) -> None:
        """Be available, wanting to hear of these nodes beside those of the plugins."""
        for node in wants:
            self["xep_0030"].add_feature(f"{node}+notify")
        await self["xep_0115"].update_caps(broadcast=False)
        self.send_presence()

    async def do_avatar(self, image: str) -> None:
        """Publish it as XEP-0084 section 3 has it."""
        data = image.encode()
        options = self._options("http://jabber.org/protocol/pubsub#publish-options", {"access_model": "open"})
        await self["xep_0084"].publish_avatar(data, options=options, timeout=60)
        info = {"id": self["xep_0084"].generate_id(data), "type": "image/png", "bytes": len(data)}
        await self["xep_0084"].publish_avatar_metadata([info], options=options, timeout=60)
        report(event="done", do="avatar", id=info["id"])

    async def do_get_avatar(self, of: str, id: str) -> None:
        reply = await self["xep_0084"].retrieve_avatar(JID(of), id, timeout=60)
        report(event="avatar", image=reply["pubsub"]["items"]["item"]["avatar_data"]["value"].decode())

    async def do_photo(self, of: str) -> None:
        reply = await self["xep_0054"].get_vcard(JID(of), cached=False, timeout=60)
        report(event="photo", image=reply["vcard_temp"]["PHOTO"]["BINVAL"].decode())

    async def do_feel(self) -> None:
        """Publish what the plugins have for moods, tunes, places and names."""
        await self["xep_0107"].publish_mood("happy", "text", timeout=60)
        await self["xep_0118"].publish_tune(artist="Nurse", title="A song", timeout=60)
        await self["xep_0080"].publish_location(lat=45, lon=11, timeout=60)
        await self["xep_0108"].publish_activity("relaxing", "reading", timeout=60)
        await self["xep_0172"].publish_nick("Juliet C.", timeout=60)
        await self["xep_0292"].publish_vcard(full_name="Juliet Capulet", timeout=60)
        report(event="done", do="feel")

    async def do_publish(self, node: str, id: str, xml: str, to: str = "", **options: str) -> None:
        form = self._options("http://jabber.org/protocol/pubsub#publish-options", options) if options else None
        service = JID(to) if to else None
        await self["xep_0060"].publish(service, node, id=id, payload=fromstring(xml), options=form, timeout=60)
        report(event="done", do="publish", id=id)

    async def do_retract(self, node: str, id: str, to: str = "") -> None:
        await self["xep_0060"].retract(JID(to) if to else None, node, id, notify=True, timeout=60)
        report(event="done", do="retract", id=id)

    async def do_items(self, node: str, of: str = "") -> None:
        reply = await self["xep_0060"].get_items(JID(of) if of else None, node, timeout=60)
        items = reply.xml.findall(".//{http://jabber.org/protocol/pubsub}item")
        report(event="items", ids=[item.get("id") for item in items])

    async def do_displayed(self, chat: str, id: str) -> None:
        await self["xep_0490"].flag_chat(JID(chat), id, timeout=60)
        report(event="done", do="displayed", id=id)

    async def do_bookmarks(self) -> None:
        """As clients did before XEP-0402: private XML."""
        reply = await self["xep_0048"].get_bookmarks(method="xep_0049", timeout=60)
        found = reply["private"]["bookmarks"]["conferences"]
        report(event="bookmarks", rooms=sorted(str(each["jid"]) for each in found))

    async def do_create(self, to: str, node: str, **config: str) -> None:
        form = self._options("http://jabber.org/protocol/pubsub#node_config", config)
        await self["xep_0060"].create_node(JID(to), node, config=form, timeout=60)
        report(event="done", do="create", id=node)

    async def do_subscribe(self, to: str, node: str) -> None:
        reply = await self["xep_0060"].subscribe(JID(to), node, timeout=60)
        report(event="subscribed", state=reply["pubsub"]["subscription"]["subscription"])

    async def do_nodes(self, of: str) -> None:
        reply = await self["xep_0060"].get_nodes(jid=JID(of), timeout=60)
        report(event="nodes", nodes=sorted(node for _, node, _ in reply["disco_items"]["items"] if node))

    async def do_config(self, node: str, to: str = "") -> None:
        reply = await self["xep_0060"].get_node_config(JID(to) if to else None, node, timeout=60)
        values = reply["pubsub_owner"]["configure"]["form"].get_values()
        report(event="config", access_model=values["pubsub#access_model"], max_items=values["pubsub#max_items"])

    def _options(self, form_type: str, options: dict[str, str]) -> Any:
        form = self["xep_0004"].stanza.Form()
        form["type"] = "submit"
        form.add_field(var="FORM_TYPE", ftype="hidden", value=form_type)
        for name, value in options.items():
            form.add_field(var=f"pubsub#{name}", value=value)
        return form


if __name__ == "__main__":
    asyncio.run(main(PepClient))
