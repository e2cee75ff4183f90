"""The parts of a run in virtual time: sessions that send, and scripts whose steps come between two events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from typing_extensions import override

from cluster.base.request import Refused
from cluster.lab.verify.foreign import BoxRole
from cluster.lab.verify.stage import Part, Script
from cluster.lab.verify.traffic import Session
from cluster.simulation.client import SimulatedClient
from cluster.virtual.host import Host
from cluster.virtual.timeline import VirtualCall


class SimulatedSession(Part):
    """A session of the run: it sends by a timer, and takes what arrives at once."""

    def __init__(self, session: Session, host: Host) -> None:
        self._session = session
        self._host = host
        self._timer: VirtualCall | None = None

    @override
    def start(self) -> None:
        client = self._session.client
        assert isinstance(client, SimulatedClient)
        client.play(self._session)
        self._turn()

    def _turn(self) -> None:
        self._session.send()
        self._session.count()
        self._timer = self._host.callLater(self._session.pause_s, self._turn)

    @override
    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._session.client.close()

    def join(self) -> None:
        """It has ended with `stop`."""

    @override
    def is_alive(self) -> bool:
        return self._timer is not None


class SimulatedBox(Part):
    """A phone or a mailbox of the run, turn by turn."""

    def __init__(self, role: BoxRole, host: Host) -> None:
        self._role = role
        self._host = host
        self._timer: VirtualCall | None = None

    @override
    def start(self) -> None:
        self._timer = self._host.callLater(self._role.pause_s, self._turn)

    def _turn(self) -> None:
        with suppress(Refused):  # the next turn tries again
            self._role.turn()
        self.start()

    @override
    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def join(self) -> None:
        """It has ended with `stop`."""

    @override
    def is_alive(self) -> bool:
        return self._timer is not None


class SimulatedScript(Part):
    """A script in virtual time."""

    def __init__(self, script: Script, host: Host, between_events: Callable[[Callable[[], None]], None]) -> None:
        """`between_events` calls what it gets between two events."""
        self._script = script
        self._host = host
        self._between_events = between_events
        self._is_alive = self._is_stopped = False

    @override
    def start(self) -> None:
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

    @override
    def stop(self) -> None:
        self._is_stopped = True
        if self._is_alive:
            self._go_on()

    def join(self) -> None:
        """It has ended with `stop`."""

    @override
    def is_alive(self) -> bool:
        return self._is_alive
