"""The folder for the workers of a load on other hosts, where no lab is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.shell import Shell, shell

__all__ = ["shell"]

TARGET = "--target=a.example=192.0.2.2:5222"


def test_it_has_all_that_a_worker_imports(shell: Shell, tmp_path: Path) -> None:
    code, out, err = shell.run("export", "load", "archive", "--master", "192.0.2.1", TARGET)
    assert (code, err) == (0, "")
    assert "load-worker/README.md" in out
    readme = (tmp_path / "load-worker" / "README.md").read_text()
    assert f"-m locust -f loadtests/archive.py --worker --master-host=192.0.2.1 --master-port=5557 {TARGET}\n" in readme
    assert f"xmpplab load archive --master --expect-workers N {TARGET}\n" in readme
    described = subprocess.run(
        [sys.executable, "-c", "import loadtests.describe as d; print(d.__file__); d.options('loadtests/mixed.py')"],
        cwd=tmp_path / "load-worker", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert described.returncode == 0, described.stderr
    assert described.stdout.strip() == str(tmp_path / "load-worker" / "loadtests" / "describe.py")


def test_a_file_of_ones_own_and_a_ca_come_along(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from loadtests.chat import ChatUser\n")
    (tmp_path / "their-ca.pem").write_text("a certificate")
    options = ("--master", "[2001:db8::1]:5600", TARGET, "--ca", "their-ca.pem", "--into", "there")
    code, _, err = shell.run("export", "load", "mine.py", *options)
    assert (code, err) == (0, "")
    readme = (tmp_path / "there" / "README.md").read_text()
    assert f"-f mine.py --worker --master-host=2001:db8::1 --master-port=5600 {TARGET} --ca=ca.pem\n" in readme
    assert (tmp_path / "there" / "mine.py").exists()
    assert (tmp_path / "there" / "ca.pem").read_text() == "a certificate"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--master", "192.0.2.1:x"], "'192.0.2.1:x' is no address; write 192.0.2.1, or 192.0.2.1:5557"),
        (["--master", "192.0.2.1:70000"], "is no address"),
        (["--master", "192.0.2.1", "--target", "b.example=192.0.2.2:99999"], "'192.0.2.2:99999' is no address"),
        (["--master", "192.0.2.1", "--ca", "none.pem"], "no file none.pem; name the certificate of the CA"),
        (["--master", "192.0.2.1", "--into", "full"], "full is not empty; name another folder with --into"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    shell: Shell, tmp_path: Path, options: list[str], why: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    code, _, err = shell.run("export", "load", "chat", TARGET, *options)
    assert code == 2
    assert why in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_without_a_lab_targets_need_addresses(shell: Shell) -> None:
    code, _, err = shell.run("export", "load", "chat", "--master", "192.0.2.1", "--target", "a.example")
    assert code == 2
    assert "no lab in " in err
