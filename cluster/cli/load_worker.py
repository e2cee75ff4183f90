"""The folder that a worker of a load test on another host needs: no lab and no xmpplab are there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cluster.cli.load_options import load_file
from cluster.lab.api import BadInput, Lab, labs_folder

CLIENT_PORT = 5222
PORT = 5557
"""At which locust's master waits."""
CA = "ca.pem"
"""Of servers outside of the lab, in the folder."""
_PACKAGES = ("cluster/__init__.py", "cluster/base", "cluster/client", "cluster/xmpp", "loadtests")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "bench")
_NEEDED = ("locust", "msgspec", "scramp", "precis-i18n", "idna", "typing-extensions")
_OF_SERVERS = ("name", "domain", "host", "c2s_port", "tls", "registration", "services")
_README = """\
# Workers of a load test

Copy this folder to each host that is to have users, and have it installed there once (Python 3.11 or later):

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt

1. The master, where this folder was written; it waits a minute for N workers:

       {master}

2. A worker, in this folder; one for each core of its host:

       {worker}

The master takes the options of the load, such as `-u 1000 -t 5m --rate 1`, gives accounts to the workers, and has the
figures. Master and workers do not encrypt what they tell each other, passwords of accounts too, and believe everybody
who knows the port: use a network that nobody else is in, or a tunnel.
"""


def write_worker(
    scenario: str,
    master: str,
    targets: Sequence[str],
    ca: Path | None,
    reached_at: Sequence[str],
    into: Path,
    lab: str | None,
) -> Path:
    """Write the folder; returns the path of its README. Raises BadInput and LabError, and then writes nothing.

    `reached_at`: where workers reach domains of the lab, `DOMAIN=HOST:PORT` each. The others are as in `load`.
    """
    file, at = load_file(scenario), _address(master, PORT)
    for target in targets:
        if "=" in target:
            _address(target.split("=", 1)[1], CLIENT_PORT)
    loaded = None if targets and all("=" in target for target in targets) else Lab.named(lab)
    plan = None if loaded is None else _plan(loaded, targets, reached_at)
    if ca is not None and not ca.is_file():
        raise BadInput(f"no file {ca}; name the certificate of the CA of servers outside of the lab")
    if into.exists() and any(into.iterdir()):
        raise BadInput(f"{into} is not empty; name another folder with --into")
    into.mkdir(parents=True, exist_ok=True)
    _copy_code(into)
    if loaded is not None and plan is not None:
        state = into / labs_folder().name / loaded.name
        state.mkdir(parents=True)
        (state / loaded.folder.plan_file.name).write_text(json.dumps(plan, indent=2))
        shutil.copy(loaded.ca_file, state)
    if ca is not None:
        shutil.copy(ca, into / CA)
    own = Path("loadtests", file.name)
    if not (into / own).exists():
        own = Path(file.name)
        shutil.copy(file, into / own)
    (into / "requirements.txt").write_text("".join(f"{name}=={version(name)}\n" for name in _NEEDED))
    readme = into / "README.md"
    readme.write_text(_README.format(master=_master(scenario, at, targets, ca), worker=_worker(own, at, targets, ca)))
    return readme


def _master(scenario: str, at: tuple[str, int], targets: Sequence[str], ca: Path | None) -> str:
    """Its command line."""
    host, port = at
    waits = {"LOCUST_MASTER_BIND_HOST": host, "LOCUST_MASTER_BIND_PORT": str(port)}
    options = [*(f"--target={target}" for target in targets), *([f"--ca={ca}"] if ca else [])]
    load = ["xmpplab", "load", scenario, "--master", "--expect-workers", "N", *options]
    return shlex.join([*(f"{name}={value}" for name, value in waits.items()), *load])


def _worker(file: Path, at: tuple[str, int], targets: Sequence[str], ca: Path | None) -> str:
    """Its command line."""
    options = [*(f"--target={target}" for target in targets), *([f"--ca={CA}"] if ca else [])]
    master = [f"--master-host={at[0]}", f"--master-port={at[1]}"]
    return shlex.join([".venv/bin/python", "-m", "locust", "-f", str(file), "--worker", *master, *options])


def _copy_code(into: Path) -> None:
    """What a load test imports of ours."""
    for name in _PACKAGES:
        spec = find_spec(name.split("/")[0])
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent.parent / name
        if source.is_dir():
            shutil.copytree(source, into / name, ignore=_LEFT_OUT)
        else:
            (into / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, into / name)


def _address(text: str, usual_port: int) -> tuple[str, int]:
    """`HOST`, `HOST:PORT` or `[IPv6]:PORT`."""
    found = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+))(?::(\d{1,5}))?", text)
    if not found or not 0 < int(found[3] or usual_port) < 65536:
        raise BadInput(f"{text!r} is no address; write 192.0.2.1, or 192.0.2.1:{usual_port}")
    return found[1] or found[2], int(found[3] or usual_port)


def _plan(lab: Lab, targets: Sequence[str], reached_at: Sequence[str]) -> dict[str, Any]:
    """What workers need to know of the lab: neither its accounts nor its secrets."""
    lab.check_up()
    raw = json.loads(lab.folder.plan_file.read_bytes())
    servers = [*_parts(raw["servers"], _OF_SERVERS)]
    for domain, address in (text.split("=", 1) if "=" in text else (text, "") for text in reached_at):
        found = [server for server in servers if server["domain"] == domain]
        if not found:
            raise BadInput(f"--at {domain}: no domain of lab {lab.name}; write {servers[0]['domain']}=192.0.2.1:5222")
        found[0]["host"], found[0]["c2s_port"] = _address(address, found[0]["c2s_port"])
    for server in servers:
        if (not targets or server["domain"] in targets) and _is_near(server["host"]):
            raise BadInput(
                f"{server['name']} of lab {lab.name} listens at {server['host']}, which no other host can reach; "
                f"forward a port of this machine there, and say where: `--at {server['domain']}=192.0.2.1:5222`; "
                "`--target` names the domains to load"
            )
    more = {"gateways": ("kind", "domain", "network"), "networks": ("name", "phones", "mailboxes")}
    return {
        **{key: raw[key] for key in ("name", "topology")},
        "servers": servers,
        **{section: [*_parts(raw.get(section, ()), keys)] for section, keys in more.items()},
    }


def _parts(sections: Sequence[dict[str, Any]], keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    return ({key: section[key] for key in keys if key in section} for section in sections)


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
