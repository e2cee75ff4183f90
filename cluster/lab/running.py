"""Whether a lab runs, and how it is started otherwise."""

from __future__ import annotations

from cluster.lab.driver import Driver
from cluster.lab.errors import Down
from cluster.lab.folder import LabFolder


def check_up(folder: LabFolder, driver: Driver) -> None:
    """Raises Down if the lab is not running."""
    if folder.is_simulated:
        start = f"xmpplab up {folder.plan().topology} -d"
        raise Down(f"{folder.path} has a simulated run that is over; `{start}` starts a lab")
    if not driver.is_up():
        raise Down(f"lab {folder.name} is down; bring it up with `{start_command(folder)}`")


def start_command(folder: LabFolder) -> str:
    """The command that brings it up, for messages."""
    if folder.orchestrator is None:
        return f"xmpplab up {folder.plan().topology} -d"
    from cluster.lab.containers.exported import deploy_command

    return deploy_command(folder, folder.orchestrator)
