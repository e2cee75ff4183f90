"""A real browser, and the page of `make lab`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from cluster.lab.folder import LABS
from tests.live.running_lab import ROOT, XMPPLAB
from tests.live.web import browser as browsers
from tests.live.web.browser import PATIENCE_MS, Visit, visit
from tests.live.web.served import Served

RFC3920 = ROOT / "topologies" / "rfc3920.yaml"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with browsers.started() as browser:
        yield browser


@pytest.fixture(scope="package")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`make lab`, in a folder of its own, with the environment of the tests."""
    folder = tmp_path_factory.mktemp("make")
    (folder / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "xmpplab").symlink_to(XMPPLAB)
    (folder / ".venv" / "ready").touch()
    served = Served(folder, "make", "-s", "-f", str(ROOT / "Makefile"), "lab", f"TOPOLOGY={RFC3920}")
    yield served
    served.interrupt()
    assert not list((folder / LABS).glob("*"))


@pytest.fixture
def page(browser: Browser, make_lab: Served) -> Iterator[Visit]:
    with visit(browser, make_lab.address) as page:
        yield page
