"""What is installed from a wheel has the scenarios, by their names, from whichever folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, TIMEOUT_S

pytestmark = pytest.mark.live
SOURCE = ("cluster", "loadtests", "topologies", "pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel of this tree was installed into."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCE:
        found = ROOT / name
        copy = shutil.copytree if found.is_dir() else shutil.copy
        copy(found, folder / name)  # setuptools writes into the tree that it builds
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder / "wheels", folder], check=True)
    [wheel] = (folder / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


def xmpplab(site: Path, folder: Path, *arguments: str, exit_code: int = 0) -> str:
    done = subprocess.run(
        [site / "bin" / "xmpplab", *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_wheel_has_every_topology_and_scenario(site: Path) -> None:
    installed = {
        file.relative_to(site / "cluster" / "topologies") for file in site.glob("cluster/topologies/**/*.yaml")
    }
    assert installed == {file.relative_to(ROOT / "topologies") for file in (ROOT / "topologies").glob("**/*.yaml")}


def test_a_scenario_is_known_by_its_name(site: Path, tmp_path: Path) -> None:
    told = xmpplab(site, tmp_path, "validate", "kill-s2")
    assert f"{site}/cluster/topologies/scenarios/kill-s2.yaml: scenario kill-s2" in told
    told = xmpplab(site, tmp_path, "verify", "kill-s3", exit_code=2)
    assert "no file and no scenario 'kill-s3'; did you mean 'kill-s" in told
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_runs_by_its_name(site: Path, tmp_path: Path) -> None:
    told = xmpplab(site, tmp_path, "verify", "cut-receiver", "--duration", "4s")
    assert "4,000" in told
    assert "all promises were kept" in told
    assert list(tmp_path.iterdir()) == []
