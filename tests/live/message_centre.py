"""The lab's message centre on a port of its own, for ESMEs that are not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint

from cluster.networks.smsc.smsc import Smsc
from tests.harness import ReactorThread, until
from tests.helpers import ids, memory_tracer
from tests.unit.gateways.sms.world import PHONE, SETTINGS, START_UTC_S

LONG = "Two households, both alike in dignity, in fair Verona, where we lay our scene, " * 4 + "🌹"


class Centre:
    """The lab's message centre on a port of its own, and what its operator asks."""

    def __init__(self, thread: ReactorThread) -> None:
        self._thread = thread
        self._smsc = Smsc(
            thread.reactor, SETTINGS, None, memory_tracer("fn1", thread.reactor),
            now_utc_s=lambda: START_UTC_S + thread.reactor.seconds(), new_id=ids(), jitter=lambda: 0.5,
        )  # fmt: skip
        port = thread.run(lambda: self._smsc.start(TCP4ServerEndpoint(thread.reactor, 0, interface="127.0.0.1")))
        self.port = port.getHost().port

    def ask(self, verb: str, *arguments: Any, **named: Any) -> Any:
        return self._thread.run(lambda: getattr(self._smsc.administration, verb)(*arguments, **named))

    def inbox(self) -> list[str]:
        return [text["text"] for text in self.ask("phone_inbox", PHONE)]

    def until(self, condition: Callable[[], object]) -> None:
        """`condition` is called in the reactor's thread."""
        self._thread.run(lambda: until(self._thread.reactor, condition))

    def until_inbox(self, *texts: str) -> None:
        phone = self._smsc.administration._phone(PHONE)
        self.until(lambda: len(phone.inbox(0)) >= len(texts))
        assert self.inbox() == list(texts)

    def until_bound(self) -> None:
        self.until(lambda: self._smsc.administration._esmes.bound)

    def stop(self) -> None:
        self._thread.run(self._smsc.stop)
