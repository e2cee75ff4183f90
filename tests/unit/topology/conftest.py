"""Files to load, and what they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from cluster.topology.load import load
from cluster.topology.model import Topology
from cluster.topology.problem import TopologyError

MODULES = ("disco", "ping", "version")

Write = Callable[[str | bytes], Path]
Load = Callable[[str], Topology]
Problems = Callable[[str | bytes], list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a topology file; text is dedented, bytes are written as they are."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "lab.yaml"
        path.write_bytes(dedent(content).lstrip("\n").encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def load_text(write: Write) -> Load:
    return lambda content: load(write(content), MODULES)


@pytest.fixture
def problems(write: Write) -> Problems:
    """The lines of the error that a file gets, without its folder: `lab.yaml:1:1: …`."""

    def problems(content: str | bytes) -> list[str]:
        path = write(content)
        with pytest.raises(TopologyError) as caught:
            load(path, MODULES)
        return str(caught.value).replace(f"{path.parent}/", "").splitlines()

    return problems
