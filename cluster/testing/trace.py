"""Assertions about the stanzas of a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cluster.lab.api import Lab, seconds, wait_until
from cluster.trace.verdict import lines

if TYPE_CHECKING:
    from cluster.trace.why import Explanation

_SLACK_S = 2.0
"""What comes too late is waited for so long, to be able to say how late it is."""

End = object
"""An account of `xmpp_account`, or an address: an account, one of its resources, or a domain; empty: any."""


class Trace:
    """What has passed through a lab since a moment. Methods wait, so a coroutine calls them by `asyncio.to_thread`."""

    def __init__(self, lab: Lab, since_utc_s: float) -> None:
        self._lab = lab
        self._since = datetime.fromtimestamp(since_utc_s, UTC)

    def stanzas(self, from_: End = "", to: End = "", kind: str = "") -> list[Explanation]:
        """The stanzas so far, oldest first, each with what became of it and why, and with its hops (docs/why.md).

        `kind`: message, presence or iq; empty: any.
        """
        return self._lab.stanzas(self._since, str(from_), str(to), kind)

    def assert_delivered(
        self, from_: End, to: End, *, within: str = "1s", count: int = 1, kind: str = "message"
    ) -> None:
        """Wait until so many stanzas are delivered, and assert that each took no longer than `within`.

        The time is that from the first server to the session of the receiver, by the clock of the lab.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        limit_s = seconds(within, "within")
        found = self._wait(from_, to, kind, lambda found: _number(found, "delivered") >= count, limit_s + _SLACK_S)
        late = [each for each in found if each.outcome != "delivered" or _took_ms(each) > limit_s * 1000]
        if late or len(found) < count:
            number = _number(found, "delivered") - sum(each.outcome == "delivered" for each in late)
            raise AssertionError(
                f"{number} of {max(count, len(found))} stanzas ({kind}) from {from_} to {to} were delivered within "
                f"{within}{_told(late)}"
            )

    def assert_outcome(
        self, outcome: str, from_: End, to: End, *, reason: str = "", timeout: str = "5s", kind: str = "message"
    ) -> None:
        """Wait until a stanza has this outcome, such as bounced, stored or waits; `reason`: with this code
        (docs/why.md)."""

        __tracebackhide__ = True

        def has(found: list[Explanation]) -> bool:
            return any(each.outcome == outcome and reason in ("", each.reason) for each in found)

        found = self._wait(from_, to, kind, has, seconds(timeout, "timeout"))
        if not has(found):
            wanted = f"{outcome} ({reason})" if reason else outcome
            raise AssertionError(f"no stanza ({kind}) from {from_} to {to} has the outcome {wanted}{_told(found)}")

    def _wait(
        self, from_: End, to: End, kind: str, is_enough: Callable[[list[Explanation]], bool], timeout_s: float
    ) -> list[Explanation]:
        found: list[Explanation] = []

        def look() -> bool:
            found[:] = self.stanzas(from_, to, kind)
            return is_enough(found)

        wait_until(look, timeout_s)
        return found


def _number(found: list[Explanation], outcome: str) -> int:
    return sum(each.outcome == outcome for each in found)


def _took_ms(answer: Explanation) -> float:
    return max(each.offset_ms for each in answer.decisions if each.event == "delivered")


def _told(found: list[Explanation]) -> str:
    """The stanzas in words, after a sentence."""
    if not found:
        return "; no such stanza was sent"
    now_utc = datetime.fromtimestamp(time.time(), UTC)
    return "".join(f"\n{line}" for each in found for line in lines(each, now_utc))
