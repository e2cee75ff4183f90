"""What `make calibrate` does to a live pair and to a simulated one: batches of messages, each on its own."""

from __future__ import annotations

from typing import NamedTuple

from cluster.xmpp.namespaces import MAM
from loadtests.bench.measure import WAYS

PAUSES_S = {0.0: 100, 0.001: 100, 0.004: 30}
"""Between two batches: how long processes sleep; and the number of batches."""
LOCAL, ACROSS = WAYS
PREFERENCES = f"<iq type='set' id='archiving'><prefs xmlns='{MAM}' default='never'><always/><never/></prefs></iq>"
GREETING = f"{PREFERENCES}<presence/>".encode()
"""As the clients of a measurement on a live pair: archives would be measured, too."""


class Scene(NamedTuple):
    """One kind of batch."""

    way: str
    senders: int
    each: int
    """Messages that each sender sends at once."""
    more_bytes: int
    """By which a message is longer than those of `make bench`."""
    pause_s: float
    batches: int

    def __str__(self) -> str:
        size = f", {self.more_bytes / 1000:.0f} kB longer" if self.more_bytes else ""
        each = f"{self.way}, senders: {self.senders}, messages of each: {self.each}{size}"
        return f"{each}, pause: {1000 * self.pause_s:.0f} ms"


SCENES = tuple(
    Scene(way, *batch, *pause)
    for pause in PAUSES_S.items()
    for way in WAYS
    for batch in ((1, 1, 0), (1, 20, 0), (20, 1, 0), (5, 4, 0), (1, 4, 3_000), (20, 10, 0), (1, 1, 10_000))
)
