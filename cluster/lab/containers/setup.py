"""Creates the files for the containers of an exported compose file: `python -m cluster.lab.containers.setup STATE`.

XMPPLAB_TOPOLOGY in the environment is the text of the topology. Secrets, keys and the CA are created once, and kept as
long as the volumes exist and the topology stays the same.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cluster.lab.containers import compose, files
from cluster.lab.folder import LabFolder
from cluster.lab.plans import read_plans
from cluster.lab.provision.certificates import certify


def main() -> None:
    """Write the folder of each container, and the CA's certificate next to them."""
    state, topology = Path(sys.argv[1]), os.environ[compose.TOPOLOGY]
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "topology.yaml"
        file.write_text(topology)
        plan = msgspec.structs.replace(read_plans(file, state)[0], topology=file.name)
    folder = LabFolder(Path(plan.state_dir))
    if folder.plan_file.exists() and folder.plan() == plan:
        return
    folder.create()
    certify(folder, plan, datetime.now(UTC))
    files.own_redis(folder, plan, "")
    files.announcer(folder, plan)
    files.nodes(folder, plan, compose.nodes(plan), files.BY_ALIAS)
    files.hand_over(*folder.containers.iterdir(), *files.data(folder, plan))
    folder.save_plan(plan)


if __name__ == "__main__":
    main()
