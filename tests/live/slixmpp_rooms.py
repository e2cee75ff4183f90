"""slixmpp as in `slixmpp_client.py`, with its plugins for rooms.

Started as `python slixmpp_rooms.py JID PASSWORD HOST PORT CA_FILE`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from slixmpp import JID
from slixmpp_client import Client, main, report

PATIENCE_S = 60


class RoomsClient(Client):
    """Enters rooms and speaks in them, as slixmpp does it."""

    def __init__(self, jid: str, password: str, ca_file: str) -> None:
        super().__init__(jid, password, ca_file)
        for plugin in ("xep_0045", "xep_0313", "xep_0410", "xep_0421", "xep_0425"):
            self.register_plugin(plugin)
        self.add_event_handler("groupchat_message", self.on_said)
        self.add_event_handler("groupchat_presence", self.on_occupant)

    def on_said(self, message: Any) -> None:
        report(
            event="said",
            nick=message["mucnick"],
            body=message["body"],
            occupant_id=message["occupant-id"]["id"],
            stanza_id=message["stanza_id"]["id"],
        )

    def on_occupant(self, presence: Any) -> None:
        if presence["type"] == "unavailable":
            codes = sorted(presence["muc"]["status_codes"])
            report(event="gone", nick=presence["from"].resource, codes=codes)
        else:
            report(event="came", nick=presence["from"].resource)

    async def do_enter(self, room: str, nick: str, history: int | None = None) -> None:
        own, subject, others, said = await self.plugin["xep_0045"].join_muc_wait(
            JID(room), nick, maxstanzas=history, timeout=PATIENCE_S
        )
        report(
            event="entered",
            codes=sorted(own["muc"]["status_codes"]),
            role=own["muc"]["role"],
            affiliation=own["muc"]["affiliation"],
            subject=subject["subject"],
            others=[each["from"].resource for each in others],
            history=[each["body"] for each in said],
        )

    async def do_configure(self, room: str, **fields: str) -> None:
        form = await self.plugin["xep_0045"].get_room_config(JID(room), timeout=PATIENCE_S)
        answer = form.get_values()
        answer.update({f"muc#roomconfig_{name}": value for name, value in fields.items()})
        form.reply()
        form.set_values(answer)
        await self.plugin["xep_0045"].set_room_config(JID(room), form, timeout=PATIENCE_S)
        report(event="configured")

    async def do_subject(self, room: str, subject: str) -> None:
        self.plugin["xep_0045"].set_subject(JID(room), subject)

    async def do_say(self, room: str, body: str) -> None:
        self.send_message(mto=room, mbody=body, mtype="groupchat")

    async def do_leave(self, room: str, nick: str) -> None:
        self.plugin["xep_0045"].leave_muc(JID(room), nick)

    async def do_role(self, room: str, nick: str, role: Any) -> None:
        await self.plugin["xep_0045"].set_role(JID(room), nick, role, timeout=PATIENCE_S)
        report(event="role set")

    async def do_people(self, room: str, affiliation: Any) -> None:
        jids = await self.plugin["xep_0045"].get_affiliation_list(JID(room), affiliation, timeout=PATIENCE_S)
        report(event="people", jids=sorted(map(str, jids)))

    async def do_is_inside(self, room: str, nick: str) -> None:
        await self.plugin["xep_0199"].send_ping(JID(f"{room}/{nick}"), timeout=PATIENCE_S)
        report(event="inside")

    async def do_archive(self, room: str) -> None:
        bodies = [
            each["mam_result"]["forwarded"]["stanza"]["body"]
            async for each in self.plugin["xep_0313"].iterate(JID(room), rsm={"max": "50"})
        ]
        report(event="archive", bodies=bodies)


if __name__ == "__main__":
    asyncio.run(main(RoomsClient))
