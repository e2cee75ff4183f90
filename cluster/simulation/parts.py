"""The parts of a run in virtual time: sessions that send, and scripts whose steps come between two events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cluster.base.request import Refused
from cluster.lab.verify.foreign import BoxRole
from cluster.lab.verify.stage import Script
from cluster.lab.verify.traffic import Session
from cluster.simulation.client import SimulatedClient
from cluster.virtual.host import Host
from cluster.virtual.timeline import VirtualCall


class SimulatedSession:
    """A session of the run: it sends by a timer, and takes what arrives at once. See `Part`."""

    def __init__(self, session: Session, host: Host) -> None:
        self._session = session
        self._host = host
        self._timer: VirtualCall | None = None

    def start(self) -> None:
        """See `Part`."""
        client = self._session.client
        assert isinstance(client, SimulatedClient)
        client.play(self._session)
        self._turn()

    def _turn(self) -> None:
        self._session.send()
        self._session.count()
        self._timer = self._host.callLater(self._session.pause_s, self._turn)

    def stop(self) -> None:
        """See `Part`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._session.client.close()

    def join(self) -> None:
        """It has ended with `stop`."""

    def is_alive(self) -> bool:
        """See `Part`."""
        return self._timer is not None


class SimulatedBox:
    """A phone or a mailbox of the run, turn by turn. See `Part`."""

    def __init__(self, role: BoxRole, host: Host) -> None:
        self._role = role
        self._host = host
        self._timer: VirtualCall | None = None

    def start(self) -> None:
        """See `Part`."""
        self._timer = self._host.callLater(self._role.pause_s, self._turn)

    def _turn(self) -> None:
        with suppress(Refused):  # the next turn tries again
            self._role.turn()
        self.start()

    def stop(self) -> None:
        """See `Part`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def join(self) -> None:
        """It has ended with `stop`."""

    def is_alive(self) -> bool:
        """See `Part`."""
        return self._timer is not None


class SimulatedScript:
    """A script in virtual time. See `Part`."""

    def __init__(self, script: Script, host: Host, between_events: Callable[[Callable[[], None]], None]) -> None:
        """`between_events` calls what it gets between two events."""
        self._script = script
        self._host = host
        self._between_events = between_events
        self._is_alive = self._is_stopped = False

    def start(self) -> None:
        """See `Part`."""
        self._is_alive = True
        self._go_on()

    def _go_on(self) -> None:
        for seconds in self._script:
            if not self._is_stopped:
                self._host.callLater(seconds, self._between_events, self._resume)
                return
        self._is_alive = False

    def _resume(self) -> None:
        if not self._is_stopped:
            self._go_on()

    def stop(self) -> None:
        """See `Part`."""
        self._is_stopped = True
        if self._is_alive:
            self._go_on()

    def join(self) -> None:
        """It has ended with `stop`."""

    def is_alive(self) -> bool:
        """See `Part`."""
        return self._is_alive
