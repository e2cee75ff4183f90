"""The process of a server that is not ours: `python -m cluster.lab.processes.peer STATE_DIR NODE`.

It writes the server's configuration and becomes the server, which keeps its process id: signals to the node reach the
server itself. The server ends with the supervisor, as our own processes do.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from cluster.kinds.base.foreign import ForeignServerNode
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.private import make_folder, write_private
from cluster.lab.processes import namespace
from cluster.lab.processes.parent import end_with_parent
from cluster.topology.plan import Plan


def check(plan: Plan) -> None:
    """Raises LabError if this machine cannot run some of the plan's servers, with the remedy for all of them."""
    nodes = [server for server in plan.servers if isinstance(server, ForeignServerNode)]
    if nodes and sys.platform != "linux":
        raise LabError(f"{nodes[0].name} is of kind {nodes[0].kind}, which a lab runs on Linux only")
    lacking = {node.kind: node.server_program for node in nodes if node.server_program.missing}
    if lacking:
        packages = " ".join(dict.fromkeys(each.packages for each in lacking.values()))
        raise LabError(f"this machine lacks servers of kind {', '.join(lacking)}: apt-get install {packages}")


def become(folder: LabFolder, node: ForeignServerNode) -> None:
    """Run the server in place of this program. Raises LabError."""
    plan = folder.plan()
    home = folder.path / node.name
    make_folder(home)
    certificate, key = folder.certificate(node.name).read_bytes(), folder.key(node.name).read_bytes()
    for name, content in (("cert.pem", certificate), ("key.pem", key), ("full.pem", certificate + key)):
        write_private(home / name, content)
    hosts = home / "hosts"
    write_private(hosts, namespace.hosts(plan, node), 0o644)
    program = node.server_program
    settings = node.run_in(home, folder.ca_file, None if program.asks_system else plan.name_server, hosts)
    command, environment = program.prepared(settings)
    os.chdir(home)
    if program.asks_system:
        environment |= namespace.enter(folder, plan, hosts)
    path = shutil.which(command[0], path=environment["PATH"])
    if path is None:
        raise LabError(program.missing)
    end_with_parent(signal.SIGTERM)
    os.execve(path, [*command], {**os.environ, **environment})


def main() -> None:
    """Become the server that the arguments name."""
    folder, name = LabFolder(Path(sys.argv[1])), sys.argv[2]
    node = folder.plan().server_named(name)
    assert isinstance(node, ForeignServerNode)
    try:
        become(folder, node)
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
