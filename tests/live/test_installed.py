"""A wheel brings the topologies, scenarios and load scenarios along: it works from an empty folder, by their names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, TIMEOUT_S

pytestmark = pytest.mark.live
SOURCE = ("cluster", "loadtests", "topologies", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with a wheel of this tree; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCE:
        found = ROOT / name
        copy = shutil.copytree if found.is_dir() else shutil.copy
        copy(found, folder / name)  # setuptools writes into the tree that it builds
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder / "wheels", folder], check=True)
    [wheel] = (folder / "wheels").glob("*.whl")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (packages(venv) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([*PIP, "--python", venv / "bin" / "python", "install", "--no-deps", "--no-index", wheel], check=True)
    return venv


def packages(venv: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))


class Installed:
    """The command of the virtual environment, in a folder that is empty at first."""

    def __init__(self, venv: Path, folder: Path) -> None:
        self.command = venv / "bin" / "xmpplab"
        self.folder = folder

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """What it printed."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [self.command, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == exit_code, f"xmpplab {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def xmpplab(venv: Path, tmp_path: Path) -> Iterator[Installed]:
    installed = Installed(venv, tmp_path)
    yield installed
    installed.run("down")


def test_the_wheel_has_every_topology_and_scenario(venv: Path) -> None:
    folder = packages(venv) / "cluster" / "topologies"
    installed = {file.relative_to(folder) for file in folder.glob("**/*.yaml")}
    assert installed == {file.relative_to(ROOT / "topologies") for file in (ROOT / "topologies").glob("**/*.yaml")}


def test_a_lab_by_the_name_of_its_topology(xmpplab: Installed) -> None:
    assert "lab rfc3920 is up" in xmpplab.run("up", "rfc3920", "-d")
    assert "delivered" in xmpplab.run("trace", "romeo", "juliet")


def test_a_lab_from_init(xmpplab: Installed) -> None:
    xmpplab.run("init", "my-lab")
    assert "my-lab.yaml: lab my-lab, " in xmpplab.run("validate", "my-lab.yaml")
    assert "lab my-lab is up" in xmpplab.run("up", "-d")
    assert "deliver " in xmpplab.run("load", "chat", "--users", "4", "--time", "2s")
    xmpplab.run("down")
    assert [file.name for file in xmpplab.folder.iterdir()] == ["my-lab.yaml"]


def test_a_scenario_by_its_name(venv: Path, xmpplab: Installed) -> None:
    scenarios = packages(venv) / "cluster" / "topologies" / "scenarios"
    assert f"{scenarios}/kill-s2.yaml: scenario kill-s2" in xmpplab.run("validate", "kill-s2")
    told = xmpplab.run("verify", "cut-receiver", "--duration", "4s")
    assert "4,000" in told
    assert "all promises were kept" in told
    assert list(xmpplab.folder.iterdir()) == []


def test_an_unknown_scenario(xmpplab: Installed) -> None:
    told = xmpplab.run("verify", "kill-s3", exit_code=2)
    assert "no file and no scenario 'kill-s3'; did you mean 'kill-s" in told


def test_the_pytest_plugin_comes_with_it(venv: Path, tmp_path: Path) -> None:
    """pytest finds it by its entry point."""
    shutil.copy(ROOT / "examples" / "test_slixmpp.py", tmp_path)
    argv = [venv / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", "temporary"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYT")}
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert "2 passed in" in done.stdout, done.stdout + done.stderr
    shown = subprocess.run(
        [*argv, "--version", "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert str(packages(venv) / "cluster" / "testing" / "plugin.py") in shown.stdout + shown.stderr
