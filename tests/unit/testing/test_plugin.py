"""The pytest plugin, without a lab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

NO_LAB = """
    import pytest

    def test_nothing():
        assert "cluster.lab" not in __import__("sys").modules
"""


def pytest(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(dedent(text))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def test_tests_that_use_no_lab_do_not_pay_for_it(tmp_path: Path) -> None:
    """Every run of pytest loads the plugin, in any project of the environment."""
    code = "import sys, pytest; known = {*sys.modules}; import cluster.testing.plugin; print({*sys.modules} - known)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(eval(loaded)) == {"cluster", "cluster.testing", "cluster.testing.plugin"}
    assert pytest(tmp_path, NO_LAB).returncode == 0


def test_it_says_what_it_has(tmp_path: Path) -> None:
    helped = pytest(tmp_path, NO_LAB, "--help").stdout
    assert "--xmpp-topology=FILE" in helped
    assert "xmpp_topology (string)" in helped
    assert "@pytest.mark.xmpp_topology(file)" in pytest(tmp_path, NO_LAB, "--markers").stdout
    offered = pytest(tmp_path, NO_LAB, "--fixtures").stdout
    for name in ("xmpp_lab [session scope]", "xmpp_account", "xmpp_fault", "xmpp_trace"):
        assert f"{name} --" in offered or f"{name}\n" in offered, name


def test_a_marker_names_one_topology(tmp_path: Path) -> None:
    run = pytest(tmp_path, "import pytest\n@pytest.mark.xmpp_topology()\ndef test_it(xmpp_lab): pass\n")
    assert "test_it.py::test_it: write @pytest.mark.xmpp_topology(FILE)" in run.stdout + run.stderr
    assert run.returncode == 2


def test_a_topology_that_is_not_there(tmp_path: Path) -> None:
    run = pytest(tmp_path, "def test_it(xmpp_lab): pass\n", "--xmpp-topology", "verno")
    assert "no file and no topology 'verno'" in run.stdout
    run = pytest(tmp_path, "def test_it(xmpp_lab): pass\n", "--xmpp-topology", "mine.yaml")
    assert f"{tmp_path}/mine.yaml" in run.stdout
    assert run.returncode == 1


def test_tests_with_one_topology_are_neighbours(tmp_path: Path) -> None:
    """So each lab is brought up once; and their names stay as they are."""
    text = """
        import pytest

        def test_a(xmpp_lab): pass

        @pytest.mark.xmpp_topology("rfc3920")
        def test_b(xmpp_lab): pass

        def test_c(xmpp_lab): pass

        @pytest.mark.xmpp_topology("rfc3920")
        def test_d(xmpp_lab): pass

        @pytest.mark.parametrize("xmpp_lab", ["rooms"], indirect=True)
        def test_e(xmpp_lab): pass
    """
    listed = pytest(tmp_path, text, "--collect-only").stdout.splitlines()[:5]
    assert [line.rpartition("::")[2] for line in listed] == ["test_a", "test_c", "test_b", "test_d", "test_e[rooms]"]
