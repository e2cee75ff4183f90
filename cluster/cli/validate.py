"""`xmpplab validate`: is a topology file right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.common import read_plans


def validate(file: Annotated[Path, typer.Argument(help="Topology file (YAML).")]) -> None:
    """Check a topology file; shows all that is wrong with it, and starts nothing."""
    plan = read_plans(file)[0]
    accounts = sum(len(server.accounts) for server in plan.servers)
    print(f"{file}: lab {plan.name}, servers: {len(plan.servers)}, accounts: {accounts}; nothing is wrong with it")
