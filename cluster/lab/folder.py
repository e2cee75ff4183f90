"""The state folder of a lab, `.xmpplab/<name>/`: where each file is, who holds it, and which lab is meant."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from cluster.lab.errors import BadInput, LabError
from cluster.topology.plan import Plan

LABS = ".xmpplab"
"""Under the current folder: one folder for each lab."""

ADMIN = "admin"
"""Name in `secrets` of the Redis user that may do everything: commands use it, servers never."""

MAX_SOCKET_PATH_BYTES = 100
"""A unix socket's path is at most 104 bytes on macOS and 108 on Linux, with its final zero."""


class LabFolder:
    """One lab's files. Only its owner can read them."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.plan_file = self.path / "plan.json"
        self.secrets_file = self.path / "secrets.json"
        self.state_file = self.path / "state.json"
        self.ca_file = self.path / "ca.pem"
        self.logs = self.path / "logs"
        self.redis_data = self.path / "redis"
        self.redis_config = self.path / "redis.conf"
        self.compose_file = self.path / "compose.yml"
        self.containers = self.path / "containers"
        self._lock_file = self.path / "lock"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def redis_socket(self) -> Path:
        """In the folder; for a long path, in a folder of the system's temporary directory that is named after it."""
        inside = self.path / "redis.sock"
        if len(os.fsencode(inside)) <= MAX_SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"xmpplab-{digest}" / "redis.sock"

    def certificate(self, node: str) -> Path:
        """The certificate of one server, PEM."""
        return self.path / f"{node}.pem"

    def key(self, node: str) -> Path:
        """The private key of that certificate, PEM."""
        return self.path / f"{node}.key"

    def log(self, node: str) -> Path:
        return self.logs / f"{node}.jsonl"

    def hold(self, node: str, until_utc_s: float) -> None:
        """A node that dies is not started again before this moment."""
        write_private(self._held(node), str(until_utc_s).encode())

    def held_until_utc_s(self, node: str) -> float:
        """The moment that `hold` noted; 0 where it noted none."""
        try:
            return float(self._held(node).read_text())
        except FileNotFoundError:
            return 0.0

    def _held(self, node: str) -> Path:
        return self.path / f"{node}.held"

    def container(self, node: str) -> LabFolder:
        """What the container of a node gets to see, as a folder of its own."""
        return LabFolder(self.containers / node)

    def create(self) -> None:
        """Make the folders that are not there yet."""
        for folder in (self.path.parent, self.path, self.logs, self.redis_data, self.redis_socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Leave nothing: the folder, a socket folder outside it, and `.xmpplab` when no other lab is there."""
        if self.redis_socket.parent != self.path:
            shutil.rmtree(self.redis_socket.parent, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        labs = self.path.parent
        if labs.name == LABS and labs.exists() and not any(labs.iterdir()):
            labs.rmdir()

    def remove_runtime(self) -> None:
        """Leave data, logs and certificates, for the next `up` and for reading."""
        for file in (self.secrets_file, self.redis_config, self.state_file, self.redis_socket, self.compose_file):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.containers, ignore_errors=True)
        if self.redis_socket.parent != self.path:
            shutil.rmtree(self.redis_socket.parent, ignore_errors=True)

    def plan(self) -> Plan:
        """What was brought up here. Raises LabError."""
        try:
            return Plan.load(self.plan_file)
        except (FileNotFoundError, NotADirectoryError):
            raise LabError(f"no lab in {self.path}; bring one up with `xmpplab up FILE -d`") from None
        except msgspec.DecodeError as error:
            raise LabError(f"{self.plan_file} is damaged ({error}); run `xmpplab down`, then `up`") from None

    def secrets(self) -> dict[str, str]:
        """URL to log in to Redis with, by user: ADMIN and each domain. Raises LabError."""
        try:
            return msgspec.json.decode(self.secrets_file.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            raise LabError(f"no lab runs in {self.path}; bring it up with `xmpplab up FILE -d`") from None

    def save_secrets(self, urls: dict[str, str]) -> None:
        write_private(self.secrets_file, msgspec.json.format(msgspec.json.encode(urls)))

    def lock(self) -> int | None:
        """Take the lab; None while somebody has it: a supervisor as long as it lives, a command while it works.

        The answer is a file descriptor. Who inherits it holds the lock too; it is free when the last one is closed.
        """
        while True:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
            if not _flock(descriptor, fcntl.LOCK_EX):
                is_taken = not _flock(descriptor, fcntl.LOCK_SH)
                os.close(descriptor)
                if is_taken:
                    return None
                continue  # somebody was looking, just then, whether it is
            if self._is_lock_file(descriptor):
                self.hand_over(os.getpid())
                return descriptor
            os.close(descriptor)  # a `down` removed the folder just now

    def hand_over(self, pid: int) -> None:
        """Note who holds the lab from now on. For its holder, and for whom it started to be that."""
        with self._lock_file.open("r+b", buffering=0) as file:  # never empty in between
            file.write(b"%-20d" % pid)

    def holder(self) -> int | None:
        """Process id of whoever has the lab: its supervisor, or a command at work."""
        return int(self._lock_file.read_text() or 0) or None if self.is_locked() else None

    def _is_lock_file(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._lock_file.stat())
        except FileNotFoundError:
            return False

    def is_locked(self) -> bool:
        """True while somebody has the lab; nothing is created."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    """False where somebody else's lock is in the way."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)


def labs(root: Path) -> list[LabFolder]:
    """The labs under this folder, running or kept, by name."""
    return [LabFolder(plan.parent) for plan in sorted((root / LABS).glob("*/plan.json"))]


def choose(root: Path, name: str | None) -> LabFolder:
    """The lab that a command means: the one of this name, else the only one here. Raises BadInput."""
    known = labs(root)
    names = ", ".join(lab.name for lab in known)
    if not known:
        raise BadInput(f"no lab in {root / LABS}; bring one up with `xmpplab up FILE -d`, or go to the folder of one")
    if name is not None:
        named = next((lab for lab in known if lab.name == name), None)
        if named is None:
            raise BadInput(f"no lab {name!r} here; there is: {names}")
        return named
    if len(known) > 1:
        raise BadInput(f"several labs here ({names}); name one with --lab NAME or XMPPLAB_LAB")
    return known[0]
