"""In-order processing (RFC 6120 section 10.1): nothing overtakes what its sender sent before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from cluster.store.memory import memory_store
from cluster.store.port import OfflineMessage, Store
from tests.conformance.rules import core
from tests.network import CAPULET, Network

JULIET, ROMEO = "juliet@capulet.lit", "romeo@montague.lit"


class SlowOffline:
    """An offline store whose answer a test holds up."""

    def __init__(self, store: Store) -> None:
        self.answer: Deferred[None] = Deferred()
        self._inner = store.offline

    async def page(self, localpart: str) -> list[OfflineMessage]:
        await self.answer
        return await self._inner.page(localpart)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@core("10.1", "MUST", "A presence never overtakes a message of the same sender that waits for stored messages.")
def test_nothing_overtakes_a_message_that_waits_for_stored_ones() -> None:
    store = memory_store()
    slow: Any = SlowOffline(store)
    network = Network(stores={CAPULET: replace(store, offline=slow)})
    network.friends(ROMEO, JULIET)
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, f"<message to='{JULIET}' type='chat'><body>stored</body></message>")
    juliet = network.client(f"{JULIET}/balcony")
    network.say(juliet, "<presence/>")
    juliet.take()
    network.say(
        romeo,
        f"<message to='{juliet.jid}'><body>waits</body></message><presence><show>away</show></presence>"
        f"<iq type='get' id='q' to='{juliet.jid}'><query xmlns='urn:example:q'/></iq>",
    )
    assert juliet.take() == []
    slow.answer.callback(None)
    network.settle()
    assert [line for line in juliet.take() if line != f"presence {ROMEO}/pda"] == [
        f"message/chat {ROMEO}/pda: stored",
        f"message {ROMEO}/pda: waits",
        f"presence {ROMEO}/pda: away",
        f"iq/get {ROMEO}/pda q: query",
    ]
