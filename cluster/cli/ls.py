"""`xmpplab ls`: the labs of this user."""

from __future__ import annotations

from pathlib import Path

from cluster.cli.output import Format, print_json


def ls(
    format: Format = "text",
) -> None:
    """List your labs. Shows running ones in any folder, and those kept in this folder."""
    from cluster.cli.table import print_table
    from cluster.lab.everywhere import running_labs
    from cluster.lab.folder import labs

    running = {folder.path for folder, _ in running_labs()}
    kept = {folder.path for folder in labs(Path.cwd())}
    found = [(path.name, "up" if path in running else "down", str(path)) for path in sorted(running | kept)]
    if format == "json":
        from cluster.cli.documents import LabView

        print_json([LabView(name, "up" if state == "up" else "down", path) for name, state, path in found])
    elif found:
        print_table(["LAB", "STATE", "FOLDER"], found)
    else:
        print("no lab is running, and none is kept here; bring one up with `xmpplab up FILE -d`")
