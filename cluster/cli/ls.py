"""`xmpplab ls`: the labs of this user."""

from __future__ import annotations

from cluster.cli.output import Format, print_json
from cluster.cli.table import print_table
from cluster.lab.api import all_labs


def ls(
    format: Format = "text",
) -> None:
    """List your labs. Shows running ones in any folder, and those kept in this folder."""
    found = all_labs()
    if format == "json":
        print_json(found)
    elif found:
        print_table(["LAB", "STATE", "FOLDER"], [(lab.name, lab.state, lab.state_dir) for lab in found])
    else:
        print("no lab is running, and none is kept here; bring one up with `xmpplab up FILE -d`")
