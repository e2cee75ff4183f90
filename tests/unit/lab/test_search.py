"""A search in archives of servers that do not answer."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from cluster.lab.api import Lab
from cluster.lab.clients.asking import search
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.topology.plan import AccountSeed, Plan
from tests.unit.lab.plan import make_plan


class Hangup:
    """A port whose connections break at once."""

    def __init__(self, listening: socket.socket) -> None:
        self.asked = 0
        self.port: int = listening.getsockname()[1]
        self._listening = listening

    def run(self) -> None:
        """Until it listens no more."""
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.asked += 1
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                connection.close()


@pytest.fixture
def hangup() -> Iterator[Hangup]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hangup = Hangup(listening)
        thread = threading.Thread(target=hangup.run)
        thread.start()
        yield hangup
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def a_plan(path: Path, port: int) -> tuple[LabFolder, Plan]:
    """Two domains with two accounts each, at this port."""
    seeds = tuple(AccountSeed(name, "secret") for name in ("romeo", "juliet"))
    plan = make_plan(path / "verona")
    servers = tuple(msgspec.structs.replace(each, c2s_port=port, tls="off", accounts=seeds) for each in plan.servers)
    folder = LabFolder(path / "verona")
    folder.create()
    folder.save_secrets({ADMIN: f"unix://{path}/verona/redis.sock"})
    plan = msgspec.structs.replace(plan, servers=servers)
    folder.save_plan(plan)
    return folder, plan


def test_no_archive_could_be_read(tmp_path: Path, hangup: Hangup) -> None:
    """That is an error, and not an empty result; and a domain that does not answer one account is not asked for all."""
    folder, plan = a_plan(tmp_path, hangup.port)
    supervisor = folder.lock()
    assert supervisor is not None
    with pytest.raises(LabError, match="cannot connect"):
        search(folder, plan, "soft", None, None, 10)
    assert hangup.asked == len(plan.servers)
    os.close(supervisor)


def test_a_lab_that_is_down_is_told_so_and_how_to_start_it(tmp_path: Path, hangup: Hangup) -> None:
    folder, _ = a_plan(tmp_path, hangup.port)
    down = f"lab verona is down; bring it up with `xmpplab up {folder.plan().topology} -d`"
    juliet = Lab(folder).account("juliet@capulet.lit")
    for ask in (lambda: Lab(folder).search("soft"), lambda: juliet.inbox(1), lambda: juliet.chat()):
        with pytest.raises(LabError, match=down):
            ask()
