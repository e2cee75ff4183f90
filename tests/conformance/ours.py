"""Our own servers, as a user starts them: a lab that `xmpplab up` brings up, with domains for tests to play."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.lab.folder import LabFolder
from cluster.lab.interop.strangers import with_flaws
from cluster.lab.plans import read_plans
from tests.conformance.federation import Place
from tests.conformance.site import Domain, Site
from tests.live.running_lab import RunningLab

TOPOLOGY = Path(__file__).with_name("conformance.yaml")
PLAYED = 150
"""Domains that tests may play: each test takes another one, which no server has spoken with."""
FLAWED = "flawed"


@contextmanager
def ours(folder: Path) -> Iterator[Site]:
    """A running lab of the three domains."""
    topology = folder / TOPOLOGY.name
    played = [f"  p{number}: {{domain: p{number}.verona.lit, kind: external}}" for number in range(PLAYED)]
    flawed = f"  {FLAWED}: {{domain: flawed.verona.lit, kind: external}}"
    topology.write_text("\n".join([TOPOLOGY.read_text().rstrip(), *played, flawed, ""]))
    plan = read_plans(topology, folder)[0]
    with_flaws(LabFolder(Path(plan.state_dir)), plan, next(each for each in plan.servers if each.name == FLAWED))
    lab = RunningLab(folder, topology)
    try:
        lab.up()
    except AssertionError as error:  # which a test that is expected to fail would take for its own
        raise RuntimeError(str(error)) from None
    try:
        yield site_of(lab)
    finally:
        lab.down()


def site_of(lab: RunningLab) -> Site:
    """The domains of a lab that is up."""
    state = lab.folder / ".xmpplab" / lab.name
    servers = {each["name"]: each for each in json.loads((state / "plan.json").read_text())["servers"]}
    domains = {each["domain"]: _domain(each, state) for each in servers.values()}
    played = iter([each for name, each in servers.items() if name.startswith("p")])
    return Site(
        "xmpplab",
        domains["montague.lit"],
        domains["capulet.lit"],
        domains["shakespeare.lit"],
        lambda: _place(next(played), state),
        lambda flaw: _place(servers[FLAWED], state, flaw),
    )


def _domain(server: dict[str, Any], state: Path) -> Domain:
    ca_file = "" if server["tls"] == "off" else str(state / "ca.pem")
    return Domain(server["domain"], (server["host"], server["c2s_port"]), ca_file, (server["host"], server["s2s_port"]))


def _place(server: dict[str, Any], state: Path, flaw: str = "") -> Place:
    name = flaw or server["name"]
    listening = socket.create_server((server["host"], server["s2s_port"]))
    return Place(server["domain"], listening, state / f"{name}.pem", state / f"{name}.key", state / "ca.pem")
