from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LABS, LabFolder, choose
from cluster.lab.provision.removal import remove
from tests.unit.lab.plan import make_plan


def make_lab(root: Path, name: str) -> LabFolder:
    folder = LabFolder(root / LABS / name)
    folder.create()
    folder.save_plan(make_plan(folder.path, name=name))
    return folder


def test_only_the_owner_can_enter(tmp_path: Path) -> None:
    folder = make_lab(tmp_path, "verona")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_the_only_lab_is_meant(tmp_path: Path) -> None:
    make_lab(tmp_path, "verona")
    assert choose(tmp_path, None).name == "verona"


def test_a_lab_is_chosen_by_its_name(tmp_path: Path) -> None:
    make_lab(tmp_path, "verona")
    make_lab(tmp_path, "elsinore")
    assert choose(tmp_path, "verona").name == "verona"


def test_several_labs_are_listed(tmp_path: Path) -> None:
    make_lab(tmp_path, "verona")
    make_lab(tmp_path, "elsinore")
    with pytest.raises(BadInput, match=r"several labs here \(elsinore, verona\); name one with --lab NAME"):
        choose(tmp_path, None)


def test_an_unknown_lab_and_what_there_is(tmp_path: Path) -> None:
    make_lab(tmp_path, "verona")
    with pytest.raises(BadInput, match=r"no lab 'padua' here \(labs: verona\)"):
        choose(tmp_path, "padua")


def test_no_lab_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="xmpplab up FILE"):
        choose(tmp_path, None)


def test_a_damaged_plan_names_the_remedy(tmp_path: Path) -> None:
    folder = make_lab(tmp_path, "verona")
    folder.plan_file.write_text("{")
    with pytest.raises(LabError, match=r"lab verona has a damaged plan.json .* run `xmpplab down`"):
        folder.plan()


@pytest.mark.parametrize(("made_by", "told"), [("xmpplab 0.0.1", "xmpplab 0.0.1"), (None, "an earlier version")])
def test_a_lab_of_another_version_says_so_and_is_removed(tmp_path: Path, made_by: str | None, told: str) -> None:
    folder = make_lab(tmp_path, "verona")
    folder.plan_file.write_text('{"name": "verona", "domains": []}')
    (folder.path / "version").unlink()
    if made_by:
        (folder.path / "version").write_text(made_by)
    with pytest.raises(LabError, match=f"lab verona was made by {told}.*, and this is xmpplab .* run `xmpplab down`"):
        folder.plan()
    remove(folder, keep=False)
    assert list(tmp_path.iterdir()) == []


def test_what_a_lab_of_another_version_leaves_in_a_redis_is_told(tmp_path: Path) -> None:
    folder = make_lab(tmp_path, "verona")
    folder.plan_file.write_text('{"name": "verona", "redis_url": "redis://127.0.0.1:1"}')
    with pytest.raises(LabError, match="is down, but what it has in its Redis stays there"):
        remove(folder, keep=False)
    assert list(tmp_path.iterdir()) == []


def test_removing_the_last_lab_leaves_nothing(tmp_path: Path) -> None:
    first, second = make_lab(tmp_path, "verona"), make_lab(tmp_path, "elsinore")
    first.remove()
    assert second.plan().name == "elsinore"
    second.remove()
    assert list(tmp_path.iterdir()) == []


def test_one_holds_the_lab_at_a_time(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "verona")
    assert not folder.is_locked()
    lock = folder.lock()
    assert lock is not None
    assert folder.lock() is None
    assert folder.holder() == os.getpid()
    os.close(lock)
    assert not folder.is_locked()
    assert folder.holder() is None


def test_who_only_looks_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "verona")
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            folder.is_locked()

    looking = [threading.Thread(target=look) for _ in range(3)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(300):
            lock = folder.lock()
            assert lock is not None
            os.close(lock)
    finally:
        over.set()
        for thread in looking:
            thread.join()


def test_who_inherits_the_lock_holds_it_until_its_end(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "verona")
    lock = folder.lock()
    assert lock is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock]) as heir:
        folder.hand_over(heir.pid)
        os.close(lock)
        assert folder.holder() == heir.pid
        heir.kill()
        heir.wait()
        assert not folder.is_locked()
