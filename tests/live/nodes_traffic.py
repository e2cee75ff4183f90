"""Clients that write to each other all the time, and know what of it arrived and what was answered."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from itertools import count, cycle

from cluster.client.blocking import BlockingClient
from cluster.client.managed import ManagedClient
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.login import Login, Resumption

CONNECT_TIMEOUT_S = 60.0
PATIENCE_S = 0.01
ROUND_S = 0.05


class Talker(threading.Thread):
    """One client on a managed stream. In each round it sends one peer a message, a request and directed presence."""

    def __init__(self, jid: str, peers: Sequence[str], addresses: Sequence[tuple[str, int]], ca_file: str) -> None:
        """`addresses`: of all nodes of its domain; after a break it tries them in turn, from the one after."""
        super().__init__(name=jid, daemon=True)
        self.jid = Jid.parse(jid)
        self.sent: list[str] = []
        """The ids of the rounds."""
        self.got: dict[str, Counter[str]] = {"message": Counter(), "presence": Counter(), "iq": Counter()}
        """How often it got what is of which round: messages, requests and presence of others."""
        self.answers: Counter[str] = Counter()
        """To its own requests, by round."""
        self.errors: Counter[str] = Counter()
        """Of those, the conditions."""
        self.failure = ""
        self.is_quiet = threading.Event()
        self.is_over = threading.Event()
        self._peers = cycle(peers)
        self._numbers = count()
        self._addresses = cycle(addresses)
        self._ca_file = ca_file
        presence = Stanza("presence", None, None, None, None, (), b"<presence/>")
        self.client = ManagedClient(self._connect, [presence], time.monotonic)

    def _connect(self, resumption: Resumption | None) -> BlockingClient:
        login = Login(self.jid, "secret")
        return BlockingClient(next(self._addresses), login, self._ca_file, CONNECT_TIMEOUT_S, resumption)

    def run(self) -> None:
        """Until `is_over`; from `is_quiet` on it only listens and answers."""
        try:
            due_s = time.monotonic()
            while not self.is_over.is_set():
                if time.monotonic() >= due_s and not self.is_quiet.is_set() and self.client.is_connected:
                    self._say(next(self._peers))
                    due_s = time.monotonic() + ROUND_S
                while (child := self.client.receive(PATIENCE_S)) is not None:
                    self._hear(child)
            self.client.close()
        except Exception:
            self.failure = traceback.format_exc()

    def _say(self, peer: str) -> None:
        id = f"{self.jid.localpart}-{peer.partition('@')[0]}-{next(self._numbers)}"
        self.sent.append(id)
        to = Jid.parse(peer)
        raw = {
            "message": f"<message to='{peer}' type='chat' id='{id}'><body>hi</body></message>",
            "iq": f"<iq to='{peer}' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>",
            "presence": f"<presence to='{peer}'><status>{id}</status></presence>",
        }
        self.client.send([Stanza(kind, to, None, id, None, (), text.encode()) for kind, text in raw.items()])

    def _hear(self, child: Slice) -> None:
        kind, type, id = child.name.partition(" ")[2], child.attributes.get("type"), child.attributes.get("id", "")
        if kind == "iq" and type in ("result", "error"):
            self.answers[id] += 1
            if type == "error":
                self.errors[xml.serialize(xml.parse(child.raw)).decode()] += 1
        elif kind == "iq" and type == "get":
            self.got["iq"][id] += 1
            to = child.attributes.get("from", "")
            raw = f"<iq to='{to}' type='result' id='{id}'/>".encode()
            self.client.send([Stanza("iq", Jid.parse(to), None, id, "result", (), raw)])
        elif kind == "message" and type != "error":
            self.got["message"][id] += 1
        elif kind == "presence" and (status := xml.text_of(xml.parse(child.raw), f"{{{CLIENT}}}status")):
            self.got["presence"][status] += 1


class Talk:
    """Several of them, and what became of all that they said."""

    def __init__(self, talkers: Sequence[Talker]) -> None:
        self._talkers = {talker.jid.localpart: talker for talker in talkers}
        for talker in talkers:
            talker.start()

    def finish(self, timeout_s: float) -> None:
        """Let what is under way arrive, and end."""
        for talker in self._talkers.values():
            talker.is_quiet.set()
        deadline_s = time.monotonic() + timeout_s
        while not self.is_settled() and time.monotonic() < deadline_s:
            threading.Event().wait(0.1)
        threading.Event().wait(0.5)  # what comes twice comes soon
        for talker in self._talkers.values():
            talker.is_over.set()
        for talker in self._talkers.values():
            talker.join()
            assert not talker.failure, talker.failure

    def is_settled(self) -> bool:
        """All has arrived and is answered."""
        return not any(self.missing().values())

    def missing(self) -> dict[str, list[str]]:
        """The rounds of which something has not arrived, by kind; `answer`: requests without one."""
        missing: dict[str, list[str]] = {"message": [], "presence": [], "answer": []}
        for talker in self._talkers.values():
            for id in [*talker.sent]:
                got = self._talkers[id.split("-")[1]].got
                for kind in ("message", "presence"):
                    if not got[kind][id]:
                        missing[kind].append(id)
                if not talker.answers[id]:
                    missing["answer"].append(id)
        return missing

    def repeated(self) -> dict[str, list[str]]:
        """The rounds of which something came more than once; presence may."""
        repeated: dict[str, list[str]] = {"message": [], "iq": [], "answer": []}
        for talker in self._talkers.values():
            for kind in ("message", "iq"):
                repeated[kind] += [id for id, number in talker.got[kind].items() if number > 1]
            repeated["answer"] += [id for id, number in talker.answers.items() if number > 1]
        return repeated

    @property
    def rounds(self) -> int:
        """How many there were."""
        return sum(len(talker.sent) for talker in self._talkers.values())

    def errors(self) -> Counter[str]:
        """The requests that were answered with an error."""
        return sum((talker.errors for talker in self._talkers.values()), Counter())

    def breaks(self) -> dict[str, str]:
        """What the connections went through."""
        return {name: repr(talker.client.breaks) for name, talker in self._talkers.items()}
