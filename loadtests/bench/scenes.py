"""What `make calibrate` does to a live pair and to a simulated one: batches of messages, each on its own."""

from __future__ import annotations

from typing import NamedTuple

from cluster.xmpp.namespaces import MAM
from loadtests.bench.measure import WAYS

PAUSE_S = 0.001
"""Between two batches: a server has finished one before the next one comes."""
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
    more_bytes: int = 0
    """By which a message is longer than those of `make bench`."""
    batches: int = 100

    def __str__(self) -> str:
        size = f", {self.more_bytes / 1000:.0f} kB longer" if self.more_bytes else ""
        return f"{self.way}, senders: {self.senders}, messages of each: {self.each}{size}"


SCENES = tuple(
    Scene(way, *batch)
    for way in WAYS
    for batch in ((1, 1), (1, 20), (20, 1), (5, 4), (1, 4, 3_000), (20, 10, 0, 30), (1, 1, 10_000))
)
