"""What one end of a connection sends: it waits for the window and the path, and arrives in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from cluster.virtual import tls
from cluster.virtual.timeline import KERNEL, Life, State
from cluster.virtual.wire import Path

if TYPE_CHECKING:
    from cluster.virtual.host import Host
    from cluster.virtual.transport import Transport

Item = bytes | tls.Flight | None
"""An item of the byte stream: data, a flight of the TLS handshake, or its end (None)."""
NOTHING: deque[Item] = deque(maxlen=0)
"""The queues of an idle connection: an empty deque of its own takes 760 bytes."""


class Sending:
    """The half of a `Transport` that sends."""

    __slots__ = (
        "_host", "_is_waiting_for_path", "_last_arrival_ns", "_path", "_unsent", "_unsent_bytes", "connected",
        "disconnected", "in_flight_bytes", "peer", "tls",
    )  # fmt: skip

    def __init__(self, host: Host, path: Path) -> None:
        """`path` leads to the other end."""
        self.connected = self.disconnected = False
        self.peer: Transport | None = None
        self.tls: tls.Handle | None = None
        self.in_flight_bytes = 0
        """Bytes sent that the protocol at the other end has not read."""
        self._host = host
        self._path = path
        self._unsent = NOTHING
        self._unsent_bytes = 0
        self._last_arrival_ns = 0
        self._is_waiting_for_path = False

    def _on_all_sent(self) -> None:
        """Nothing waits any more."""
        raise NotImplementedError

    def _on_reset(self) -> None:
        """The other end has reset the connection."""
        raise NotImplementedError

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait at this end."""
        return self._unsent_bytes

    def _enqueue(self, item: Item) -> None:
        if self._unsent is NOTHING:
            self._unsent = deque()
        self._unsent.append(item)

    def _has_room(self, size_bytes: int) -> bool:
        """Whether so much can be sent now, in one segment."""
        if (processor := self._host.life.processor) is not None and processor.in_turn:
            return False
        wire = self._path.wire
        is_small = size_bytes <= wire.segment_bytes and self.in_flight_bytes + size_bytes <= wire.window_bytes
        return is_small and not self._path.is_cut

    def _send_data(self, data: bytes, size_bytes: int) -> None:
        self.in_flight_bytes += size_bytes
        self._send(data, size_bytes + (tls.RECORD_BYTES if self.tls is not None else 0))

    def _send_soon(self, size_bytes: int) -> None:
        """Send now, or at the end of the turn where turns take time."""
        processor = self._host.life.processor
        if processor is not None and processor.in_turn:
            processor.write(self, size_bytes)
        else:
            self._pump()

    def flush(self) -> None:
        """Send what this turn wrote."""
        self._pump()

    def _on_window(self) -> None:
        """The window has opened."""
        processor = self._host.life.processor
        if processor is None or not processor.is_to_write(self):
            self._pump()

    def _pump(self) -> None:
        """Send what the window and the path let through."""
        wire = self._path.wire
        while self._unsent and self.connected and self.in_flight_bytes < wire.window_bytes and self._is_open():
            item = self._unsent.popleft()
            if isinstance(item, bytes):
                most = min(wire.segment_bytes, wire.window_bytes - self.in_flight_bytes)
                if len(item) > most:
                    self._unsent.appendleft(item[most:])
                    item = item[:most]
                self._unsent_bytes -= len(item)
                self._send_data(item, len(item))
            else:
                self._send(item, item.size_bytes if item is not None else 0)
        if not self._unsent:
            self._unsent = NOTHING
            self._on_all_sent()

    def _is_open(self) -> bool:
        """The path is not cut; if it is, `_pump` runs again when it is mended."""
        if self._path.is_cut and not self._is_waiting_for_path:
            self._is_waiting_for_path = True
            self._path.when_mended(self._go_on)
        return not self._path.is_cut

    def _go_on(self) -> None:
        self._is_waiting_for_path = False
        self._host.later(self._pump)

    def _send(self, item: Item, size_bytes: int) -> None:
        peer, host = self.peer, self._host
        assert peer is not None  # nothing is sent before the connection is there
        host.network.sent_bytes += size_bytes
        life = peer._host.life
        if life.state is State.OVER:
            host.timeline.call(2 * self._path.latency_ns, host.life, self._on_reset)
        else:
            self.arrive_later(size_bytes, life, peer._arrived, item)

    def arrive_later(self, size_bytes: int, life: Life, what: Any, *args: object) -> None:
        """Call `what` at the other end, after all that was sent before has arrived."""
        timeline = self._host.timeline
        at_ns = self._path.arrival_ns(size_bytes)
        if at_ns < self._last_arrival_ns:
            at_ns = self._last_arrival_ns
        self._last_arrival_ns = at_ns
        timeline.call(at_ns - timeline.now_ns, life, what, *args)

    def _on_read(self, size_bytes: int) -> None:
        """The protocol at the other end has read `size_bytes`: the acknowledgement opens the window."""
        self.in_flight_bytes -= size_bytes
        if self._unsent and not self.disconnected:
            life = self._host.life
            kernel = life if life.processor is None else KERNEL  # what a process has written, its system sends
            self._host.timeline.call(self._path.latency_ns, kernel, self._on_window)
