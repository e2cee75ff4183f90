"""The requests of a lab's operator to its mail host: its mailboxes, their mails, its faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cluster.networks.faults import Door, Faults, FaultyNetwork
from cluster.networks.mailhost.host import MailHost, traced
from cluster.networks.mailhost.mailbox import Mailbox
from cluster.protocols.mime.address import normal
from cluster.protocols.mime.compose import Draft
from cluster.protocols.mime.parsed import TRACE_ID
from cluster.protocols.smtp.receiver import Refused
from cluster.protocols.smtp.server import SmtpServer

_REPLY = re.compile(r"([45]\d\d) ([45]\.\d+\.\d+ .+)", re.ASCII)


class MailHostAdministration(FaultyNetwork):
    """The operator's requests. Raises ValueError with the remedy."""

    def __init__(
        self,
        host: MailHost,
        server: SmtpServer,
        door: Door,
        mailboxes: Mapping[str, Mailbox],
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        """`mailboxes` by address."""
        self._host = host
        self._server = server
        self._door = door
        self._mailboxes = mailboxes
        self._now_utc_s = now_utc_s
        self._new_id = new_id

    async def status(self) -> dict[str, Any]:
        """Counts of mailboxes, and of mails that wait to be sent on, by domain."""
        waiting = {domain: queue.waiting for domain, queue in self._host.queues.items()}
        return {"ready": True, "mailboxes": len(self._mailboxes), "waiting": waiting}

    async def mailbox_ls(self) -> list[dict[str, Any]]:
        """All mailboxes: address, name, number of mails."""
        boxes = self._mailboxes.values()
        return [{"address": box.address, "name": box.name, "mails": len(box.inbox())} for box in boxes]

    async def inbox(self, mailbox: str, after: int = 0) -> list[dict[str, Any]]:
        """Its mails, oldest first, without the first `after`: at_utc_s, from, subject, text, message_id, trace_id."""
        return self._mailbox(mailbox).inbox()[int(after) :]

    async def send(self, sender: str, to: str, subject: str, text: str, trace_id: str = "") -> str:
        """Send a mail from a mailbox; returns its Message-ID."""
        return await self._send(self._mailbox(sender), normal(to), subject, text, (), trace_id)

    async def reply(self, mailbox: str, message_id: str, text: str, trace_id: str = "", to: str = "") -> str:
        """Answer a mail in the mailbox, as a mail program does; returns the answer's Message-ID.

        `to`: an address other than the one that the mail gives for answers.
        """
        box = self._mailbox(mailbox)
        letter = box.find(message_id)
        if letter is None:
            raise ValueError(f"{mailbox} has no mail {message_id}; `inbox` shows what there is")
        to = normal(to) if to else letter.reply_to
        if not to:
            raise ValueError(f"{message_id} has no sender to answer to")
        subject = letter.subject if letter.subject.lower().startswith("re:") else f"Re: {letter.subject}"
        references = tuple(dict.fromkeys([*letter.references, letter.message_id]))
        return await self._send(box, to, subject, text, references, trace_id)

    async def _apply(self, faults: Faults) -> None:
        found = _REPLY.fullmatch(faults.refuse)
        if faults.refuse and found is None:
            raise ValueError(f"{faults.refuse!r} is not an SMTP refusal; write it like '451 4.7.1 come back later'")
        self._host.refusal = Refused(int(found.group(1)), found.group(2)) if found else None
        self._host.delay_s = faults.delay_s
        self._server.limit(faults.max_per_s)
        await self._door.be(not faults.down)

    async def _send(
        self, box: Mailbox, to: str, subject: str, text: str, references: tuple[str, ...], trace_id: str
    ) -> str:
        if trace_id and not TRACE_ID.fullmatch(trace_id):
            raise ValueError(f"{trace_id!r} is not a trace id (up to 64 letters, digits, dots and hyphens)")
        message_id = f"<{self._new_id()}@{self._host.domain}>"
        draft = Draft(
            box.address, to, subject, text, message_id, self._now_utc_s(),
            references=references, headers=traced(trace_id),
        )  # fmt: skip
        await self._host.send(draft, trace_id)
        return message_id

    def _mailbox(self, address: str) -> Mailbox:
        box = self._mailboxes.get(address)
        if box is None:
            raise ValueError(f"no mailbox {address} (mailboxes: {', '.join(self._mailboxes) or 'none'})")
        return box
