"""A supervisor of fake parts: `python -m tests.unit.lab.supervise STATE_DIR NAME:KIND:BEHAVIOUR…`."""

import sys
from pathlib import Path
from typing import Any

from cluster.lab.control.readiness import ReadinessProbe
from cluster.lab.folder import LabFolder
from cluster.lab.processes import child
from cluster.lab.processes.child import Part
from cluster.lab.supervisor import supervise

child.STOP_TIMEOUT_S = 0.5  # only a stubborn part waits for it


async def prepare(reactor: Any) -> None:
    """Leaves a sign of when it was called: the state at that moment."""
    (folder.path / "at-prepare.json").write_bytes(folder.state_file.read_bytes())


def part(text: str) -> Part:
    name, kind, behaviour = text.split(":")
    socket = folder.path / f"{name}.sock"
    argv = (sys.executable, str(Path(__file__).with_name("fake_part.py")), str(socket), behaviour)
    return Part(name, "redis" if kind == "redis" else "server", argv, ReadinessProbe(socket, b"there?", b"here"))


folder = LabFolder(Path(sys.argv[1]))
folder.create()
changed = folder.path / "parts"
"""Written by a test that wants other parts: see APPLY."""
supervise(
    folder,
    lambda: [part(text) for text in (changed.read_text().split() if changed.exists() else sys.argv[2:])],
    prepare,
)
