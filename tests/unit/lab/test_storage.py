"""A lab whose disk is full, or whose folder is gone, or another user's."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.lab import private, state
from cluster.lab.errors import LabError
from cluster.lab.folder import LABS, LabFolder, choose
from cluster.lab.logs import LogFile, LogLine, LogReader
from cluster.lab.processes.driver import ProcessDriver
from cluster.lab.state import LabState, NodeState
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.small_disk import fill, small_disk
from tests.unit.lab.plan import make_plan
from tests.unit.lab.supervised import Lab, is_alive, supervised

NOW_UTC = datetime(2026, 1, 1, tzinfo=UTC)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def lab() -> Iterator[Lab]:
    yield from supervised()


@pytest.fixture
def lab_on_a_small_disk() -> Iterator[Lab]:
    with small_disk("2m") as disk:
        lab = Lab(disk / "lab")
        yield lab
        if lab.process is not None and lab.process.poll() is None:
            lab.end()


# --- a full disk


def test_on_a_full_disk_children_are_still_started_again(lab_on_a_small_disk: Lab) -> None:
    lab = lab_on_a_small_disk
    lab.supervise("s1:server:", "s2:server:")
    before = lab.until_running()
    filler = fill(lab.folder.path.parent)
    for restarts in (1, 2):
        pid = lab.nodes()["s1"].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        lab.until(lambda nodes, n=restarts: nodes["s1"].restarts == n and nodes["s1"].state == "running")
    assert lab.nodes()["s2"] == before["s2"]
    filler.unlink()
    after = lab.nodes()["s1"]
    assert after.pid is not None
    os.kill(after.pid, signal.SIGKILL)
    lab.until(lambda nodes: nodes["s1"].restarts == 3 and nodes["s1"].state == "running")


def test_the_state_is_written_over_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state.json"
    LabState([NodeState("s1", "server", 7)]).save(file)

    def no_room(path: Path, content: bytes) -> None:
        raise FULL

    monkeypatch.setattr(state, "write_private", no_room)
    grown = LabState([NodeState("s1", "server", 4_000_000, last_exit="signal SIGKILL", restarts=17)])
    grown.save(file)
    assert LabState.load(file) == grown
    with pytest.raises(OSError, match="No space left"):
        LabState([NodeState(f"s{number}", "server") for number in range(100)]).save(file)
    assert LabState.load(file) == grown


def test_a_state_that_is_damaged_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(LabError, match="xmpplab down"):
        LabState.load(tmp_path / "state.json")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*arguments: object) -> None:
        raise FULL

    monkeypatch.setattr(Path, "replace", no_room)
    with pytest.raises(OSError, match="No space left"):
        private.write_private(tmp_path / "secrets.json", b"{}")
    assert list(tmp_path.iterdir()) == []


class FullFile(io.FileIO):
    """Has room for so many bytes more."""

    room = 1_000_000

    def write(self, data: bytes) -> int:
        if not self.room:
            raise FULL
        taken = super().write(data[: self.room])
        self.room -= taken
        return taken


def test_log_lines_that_find_no_room_are_counted_and_none_is_cut(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "s1.jsonl")
    log.close()
    log._file._file = file = FullFile(tmp_path / "s1.jsonl", "ab")
    line = LogLine("2026-01-01T00:00:00.000000+00:00", "info", "hi")
    log.write(line)
    for room in (5, 0, 0):
        file.room = room
        log.write(line)
    file.room = 1_000_000
    log.write(line)
    log.close()
    texts = [each.text for each in LogReader(tmp_path / "s1.jsonl").read()]
    assert texts == ["hi", "3 log lines before this one were lost: the disk was full", "hi"]


def test_a_dead_process_is_shown_as_dead_whatever_the_state_says(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "verona")
    lock = folder.lock()
    assert lock is not None
    pid = os.fork()
    if not pid:
        os._exit(0)
    try:
        LabState([NodeState("s1", "server", pid, "running")]).save(folder.state_file)
        assert wait_until(
            lambda: ProcessDriver(folder).status()[0].state == "restarting", PATIENCE_S
        )  # also as a zombie
        os.waitpid(pid, 0)
        assert ProcessDriver(folder).status()[0].pid is None
    finally:
        os.close(lock)


# --- a folder that is gone


@pytest.mark.parametrize("how", ["removed", "renamed", "exchanged"])
def test_without_its_folder_a_lab_ends(lab: Lab, tmp_path: Path, how: str) -> None:
    lab.supervise("redis:redis:", "s1:server:")
    pids = [node.pid for node in lab.until_running().values()]
    if how == "removed":
        shutil.rmtree(lab.folder.path)
    else:
        shutil.move(lab.folder.path, tmp_path / "elsewhere")
    if how == "exchanged":
        lab.folder.path.mkdir()
    assert lab.process is not None
    lab.process.wait(PATIENCE_S)
    assert not any(map(is_alive, pids))
    assert not lab.folder.path.exists() or list(lab.folder.path.iterdir()) == []


# --- a folder of somebody else


def long_lab(tmp_path: Path) -> LabFolder:
    """Its path is too long for a socket."""
    folder = LabFolder(tmp_path / ("long" * 30) / LABS / "verona")
    folder.create()
    return folder


def test_nobody_knows_before_where_the_socket_of_a_long_path_is(tmp_path: Path) -> None:
    folder = long_lab(tmp_path)
    first = folder.redis_socket
    assert len(os.fsencode(first)) <= 100
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    folder.remove_runtime()
    assert not first.parent.exists()
    folder.create()
    assert folder.redis_socket != first
    folder.remove()
    assert not folder.redis_socket.parent.exists()


def test_passwords_are_not_read_where_others_could_listen(tmp_path: Path) -> None:
    folder = long_lab(tmp_path)
    folder.save_secrets({"admin": "unix://admin:secret@somewhere"})
    assert folder.secrets()
    folder.redis_socket.parent.chmod(0o755)
    with pytest.raises(LabError, match="chmod go-rwx"):
        folder.secrets()
    folder.remove()


@pytest.mark.parametrize("where", ["the lab", "all labs"])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, where: str) -> None:
    folder = LabFolder(tmp_path / LABS / "verona")
    folder.create()
    folder.save_plan(make_plan(folder.path))
    (folder.path if where == "the lab" else folder.path.parent).chmod(0o777)
    for use in (folder.create, lambda: choose(tmp_path, None)):
        with pytest.raises(LabError, match="chmod go-w"):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / LABS / "verona")
    folder.create()
    folder.save_plan(make_plan(folder.path))
    os.chown(folder.path.parent, 12345, 12345)
    for use in (folder.create, lambda: choose(tmp_path, None)):
        with pytest.raises(LabError, match="belongs to user 12345"):
            use()


def test_what_has_passwords_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / LABS / "verona")
    folder.create()
    folder.save_plan(make_plan(folder.path))
    folder.save_secrets({"admin": "unix://admin:secret@somewhere"})
    for file in (folder.plan_file, folder.secrets_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
