"""The state folder of a lab, `.xmpplab/<name>/`: the places of its files, and its lock."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from cluster.base.version import version
from cluster.lab.errors import BadInput, LabError
from cluster.lab.private import check_folder, make_folder, write_private
from cluster.topology.plan import Plan

LABS = ".xmpplab"
"""Under the current folder: one folder for each lab."""

Orchestrator = Literal["swarm", "k8s"]
"""What runs a lab on several machines."""

ADMIN = "admin"
"""Name in `secrets` of the Redis user with all rights: commands use it, servers never."""

MAX_SOCKET_PATH_BYTES = 100
"""A unix socket's path is at most 104 bytes on macOS and 108 on Linux, with its final zero."""


_LITTLE_BYTES = 65_536
"""Free room that a log or a Redis uses up at once."""


RECORDED = {
    "journal.jsonl", "journal.jsonl.1", "logs", "plan.json", "redis", "targets", "timeline.jsonl", "timeline.jsonl.1",
    "version", "lock", "sockets",
}  # fmt: skip
"""All that a simulated run leaves in its folder."""


class LabFolder:
    """One lab's files. Only its owner can read them."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.plan_file = self.path / "plan.json"
        self._version_file = self.path / "version"
        self.secrets_file = self.path / "secrets.json"
        self.state_file = self.path / "state.json"
        self.ca_file = self.path / "ca.pem"
        self.logs = self.path / "logs"
        self.timeline = self.path / "timeline.jsonl"
        self.journal = self.path / "journal.jsonl"
        """The hops of a simulated run, and of a lab that is down; one that is up has them in Redis."""
        self.redis_data = self.path / "redis"
        self.redis_config = self.path / "redis.conf"
        self.compose_file = self.path / "compose.yml"
        self.stack_file = self.path / "stack.yml"
        self.base_file = self.path / "kustomization.yaml"
        self.containers = self.path / "containers"
        self.clients = self.path / "clients"
        self.targets = self.path / "targets"
        """Where the processes are scraped, for Prometheus (file_sd); containers have no such folder."""
        self._sockets = self.path / "sockets"
        self._lock_file = self.path / "lock"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_simulated(self) -> bool:
        """It has the recording of a simulated run, which had no certificates."""
        return self.journal.exists() and not self.ca_file.exists()

    @property
    def orchestrator(self) -> Orchestrator | None:
        """What runs an exported lab; None: this machine's processes or containers do."""
        if self.stack_file.exists():
            return "swarm"
        return "k8s" if self.base_file.exists() else None

    @property
    def start_command(self) -> str:
        """The command that brings the lab up, for messages."""
        if self.orchestrator is None:
            from cluster.lab.catalogue import named

            return f"xmpplab up {named(self.plan().topology)} -d"
        from cluster.lab.containers.exported import deploy_command

        return deploy_command(self, self.orchestrator)

    def why_down(self) -> str:
        """That the lab does not run, and the remedy."""
        if self.is_simulated:
            return f"{self.path} has a simulated run that is over; `{self.start_command}` starts a lab"
        return f"lab {self.name} is down; bring it up with `{self.start_command}`"

    @property
    def redis_socket(self) -> Path:
        """In the folder; for a long path in a folder outside, which `create` made and the link `sockets` leads to."""
        outside = self._socket_folder()
        return (outside or self.path) / "redis.sock"

    def _socket_folder(self) -> Path | None:
        """The socket folder outside; None if there is none."""
        try:
            return Path(os.readlink(self._sockets))
        except OSError:
            return None

    def certificate(self, node: str) -> Path:
        """The certificate of one server, PEM."""
        return self.path / f"{node}.pem"

    def key(self, node: str) -> Path:
        """The private key of that certificate, PEM."""
        return self.path / f"{node}.key"

    def profile(self, client: str, account: str) -> Path:
        """The files of a client program that is used as this account (a bare JID)."""
        return self.clients / client / account

    def log(self, node: str) -> Path:
        return self.logs / f"{node}.jsonl"

    def target(self, process: str) -> Path:
        """Where the process of this node, its first one, is scraped."""
        return self.targets / f"{process}.json"

    def hold(self, node: str, for_s: float) -> None:
        """Do not restart a node that dies for this time."""
        write_private(self._held(node), str(time.monotonic() + for_s).encode())

    def take_hold(self, node: str) -> float:
        """Remaining seconds of `hold`, which is then forgotten; 0 if there is none."""
        try:
            until_s = float(self._held(node).read_text())
            self._held(node).unlink()
        except (OSError, ValueError):
            return 0.0
        return max(0.0, until_s - time.monotonic())

    def _held(self, node: str) -> Path:
        return self.path / f"{node}.held"

    def container(self, node: str) -> LabFolder:
        """The folder that the container of a node sees."""
        return LabFolder(self.containers / node)

    def create(self) -> None:
        """Create the missing folders. Raises LabError if another user created one of them."""
        self.check()
        make_folder(self.path)
        self.journal.unlink(missing_ok=True)  # of a lab that comes up again: its Redis has it
        for folder in (
            self.logs,
            self.redis_data,
            self.targets,
        ):  # nobody else creates any within it; a container may own its data
            folder.mkdir(mode=0o700, exist_ok=True)
        write_private(self._version_file, version().encode())
        if len(os.fsencode(self.path / "redis.sock")) > MAX_SOCKET_PATH_BYTES:
            self._make_socket_folder()

    def check(self) -> None:
        """Raises LabError if the folder may be another user's, although this user would have created it here."""
        for folder in (self.path.parent, self.path):
            if (folder == self.path or folder.name == LABS) and os.path.lexists(folder):
                check_folder(folder)

    def identity(self) -> tuple[int, int]:
        """The identity of this folder, which a later one at its place does not have. Raises OSError."""
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def is_same(self, identity: tuple[int, int]) -> bool:
        """True until somebody removes, renames or exchanges the folder."""
        try:
            return self.identity() == identity
        except OSError as error:
            return not isinstance(error, FileNotFoundError | NotADirectoryError)  # else it cannot be read just now

    def _make_socket_folder(self) -> None:
        """With an unpredictable name; that of an earlier run may have been removed, or exchanged."""
        self._remove_socket_folder()
        for place in (tempfile.gettempdir(), "/tmp"):  # others cannot guess it, and it is checked
            made = Path(tempfile.mkdtemp(prefix="xmpplab-", dir=place))
            if len(os.fsencode(made / "redis.sock")) <= MAX_SOCKET_PATH_BYTES:
                self._sockets.symlink_to(made)
                return
            made.rmdir()
        raise LabError(f"{self.path} is too long for the path of a socket; go to a folder with a shorter path")

    def _remove_socket_folder(self) -> None:
        outside = self._socket_folder()
        if outside is not None:
            shutil.rmtree(outside, ignore_errors=True)
            self._sockets.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, a socket folder outside it, and `.xmpplab` if it has no other lab.

        The folder of a simulated run is at a place of the user's choice, and may have other files by now: they stay.
        """
        self._remove_socket_folder()
        if not self.is_simulated:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            for path in (self.path / name for name in RECORDED):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            if not any(self.path.iterdir()):
                self.path.rmdir()
        labs = self.path.parent
        if labs.name == LABS and labs.exists() and not any(labs.iterdir()):
            labs.rmdir()

    def remove_runtime(self) -> None:
        """Remove everything except data, logs and certificates, which the next `up` uses."""
        for file in (self.secrets_file, self.redis_config, self.state_file, self.redis_socket, self.compose_file):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.containers, ignore_errors=True)
        shutil.rmtree(self.targets, ignore_errors=True)
        self._remove_socket_folder()

    def plan(self) -> Plan:
        """The plan that was brought up here. Raises LabError."""
        try:
            return Plan.load(self.plan_file)
        except (FileNotFoundError, NotADirectoryError):
            raise LabError(f"no lab in {self.path}; bring one up with `xmpplab up FILE -d`") from None
        except msgspec.DecodeError as error:
            other = self.other_version()
            problem = (
                f"was made by {other}, and this is {version()}" if other else f"has a damaged {self.plan_file.name}"
            )
            raise LabError(f"lab {self.name} {problem} ({error}); run `xmpplab down`, then `up`") from None

    def save_plan(self, plan: Plan) -> None:
        """The file has the passwords of the topology's accounts."""
        write_private(self.plan_file, plan.encoded())

    def other_version(self) -> str:
        """The version that brought the lab up, in words; empty: this one."""
        try:
            made_by = self._version_file.read_text()
        except OSError:
            return "an earlier version of xmpplab"
        return "" if made_by == version() else made_by

    def secrets(self) -> dict[str, str]:
        """URLs for logins to Redis, by user: ADMIN and each domain. Raises LabError.

        Also if somebody else could listen at their socket, and would get the passwords.
        """
        outside = self._socket_folder()
        if outside is not None and os.path.lexists(outside):
            check_folder(outside, closed=True)
        try:
            return msgspec.json.decode(self.secrets_file.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            raise LabError(self.why_down()) from None

    def save_secrets(self, urls: dict[str, str]) -> None:
        write_private(self.secrets_file, msgspec.json.format(msgspec.json.encode(urls)))

    def lock(self) -> int | None:
        """Lock the lab; None while another process has it: a supervisor as long as it lives, a command while it works.

        The result is a file descriptor. Processes that inherit it hold the lock too; it is free when the last one is
        closed.
        """
        while True:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
            if not _flock(descriptor, fcntl.LOCK_EX):
                is_taken = not _flock(descriptor, fcntl.LOCK_SH)
                os.close(descriptor)
                if is_taken:
                    return None
                continue  # another process was testing the lock just then
            if self._is_lock_file(descriptor):
                try:
                    self.hand_over(os.getpid())
                except OSError:
                    os.close(descriptor)
                    raise
                return descriptor
            os.close(descriptor)  # a `down` removed the folder just now

    def hand_over(self, pid: int) -> None:
        """Record the new owner of the lock. For the owner, and for a process that it starts for this purpose."""
        with self._lock_file.open("r+b", buffering=0) as file:  # never empty in between
            file.write(b"%-20d" % pid)

    def holder(self) -> int | None:
        """Process id of the owner of the lock: the lab's supervisor, or a command at work."""
        return int(self._lock_file.read_text() or 0) or None if self.is_locked() else None

    def _is_lock_file(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._lock_file.stat())
        except FileNotFoundError:
            return False

    def is_locked(self) -> bool:
        """Whether a process holds the lock; creates nothing."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    """False if another process holds the lock."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_full(path: Path) -> bool:
    """Whether nothing more can be written there."""
    try:
        return shutil.disk_usage(path).free < _LITTLE_BYTES
    except OSError:
        return False


def labs(root: Path) -> list[LabFolder]:
    """The labs under this folder, running or kept, by name. Raises OSError if they cannot be listed."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted((root / LABS).iterdir()):
            lab = LabFolder(path)
            with suppress(FileNotFoundError, NotADirectoryError):
                lab.plan_file.stat()
                found.append(lab)
    return found


def choose(root: Path, name: str | None) -> LabFolder:
    """The lab for a command: the one of this name, otherwise the only one here. Raises BadInput."""
    known = labs(root)
    names = ", ".join(lab.name for lab in known)
    if not known:
        raise BadInput(f"no lab in {root / LABS}; bring one up with `xmpplab up FILE -d`, or go to the folder of one")
    if name is not None:
        named = next((lab for lab in known if lab.name == name), None)
        if named is None:
            raise BadInput(f"no lab {name!r} here (labs: {names})")
        named.check()
        return named
    if len(known) > 1:
        raise BadInput(f"several labs here ({names}); name one with --lab NAME or XMPPLAB_LAB")
    known[0].check()
    return known[0]
