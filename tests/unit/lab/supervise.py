"""Supervises fake parts:
`python -m tests.unit.lab.supervise STATE_DIR executed|forked|hanging OWNER NAME[,NAME…]:KIND:BEHAVIOUR…`.

OWNER may be 0. Several names: the nodes of one part. `hanging`: forked, by a fork server that is going to hang.
"""

import sys
from pathlib import Path
from typing import Any

from cluster.lab.control.readiness import ReadinessProbe
from cluster.lab.folder import LabFolder
from cluster.lab.processes import child, spawning
from cluster.lab.processes.child import Part, PartNode
from cluster.lab.processes.owner import Owner
from cluster.lab.processes.probe import always
from cluster.lab.processes.python import PYTHON
from cluster.lab.supervisor import supervise
from tests.harness import PATIENCE_S

FAKE_PART = "tests.unit.lab.fake_part"
# short only where they are going to be reached: a busy machine takes seconds for what is in order
child.STOP_TIMEOUT_S = 0.5 if sys.argv[-1].endswith(":stubborn") else PATIENCE_S
spawning.FORK_TIMEOUT_S = 5.0 if sys.argv[2] == "hanging" else PATIENCE_S


async def prepare(reactor: Any) -> None:
    """Leaves a sign of when it was called: the state at that moment."""
    (folder.path / "at-prepare.json").write_bytes(folder.state_file.read_bytes())


def part(text: str) -> Part:
    names, kind, behaviour = text.split(":")
    sockets = {name: folder.path / f"{name}.sock" for name in names.split(",")}
    nodes = [
        PartNode(name, "redis" if kind == "redis" else "server", always(ReadinessProbe(socket, b"there?", b"here")))
        for name, socket in sockets.items()
    ]
    return Part((*PYTHON, FAKE_PART, ",".join(map(str, sockets.values())), behaviour), tuple(nodes))


folder = LabFolder(Path(sys.argv[1]))
folder.create()
changed = folder.path / "parts"
"""Written by a test that wants other parts: see APPLY."""
supervise(
    folder,
    lambda: [part(text) for text in (changed.read_text().split() if changed.exists() else sys.argv[4:])],
    prepare,
    () if sys.argv[2] == "executed" else (FAKE_PART,),
    Owner(int(sys.argv[3])) if int(sys.argv[3]) else None,
)
