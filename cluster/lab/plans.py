"""From a topology file to the plans for `up`."""

from __future__ import annotations

from pathlib import Path

from cluster import modules
from cluster.lab.errors import BadInput
from cluster.lab.folder import LABS
from cluster.lab.provision.addresses import has_own_hosts, may_listen
from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.resolve import DNS_PORT, resolve

ATTEMPTS = 10
"""Addresses depend on the folder, so another lab's are the same only by chance; ten times is no chance."""

DEFAULT_FILE = Path("topologies/verona.yaml")


def read_plans(file: Path, root: Path, redis_url: str = "") -> list[Plan]:
    """The same lab at different addresses, best first; its state goes to `.xmpplab/<name>` under `root`.

    Raises TopologyError with all errors of the file, and BadInput for a module or an address of Redis that cannot be
    used.
    """
    if redis_url:
        check_redis_url(redis_url)
    names = modules.names()
    topology = load(file, names)
    state_dir = (root / LABS / topology.name).absolute()
    single_host, loaded = not has_own_hosts(), default_modules()
    dns_port = 53 if may_listen(53) else DNS_PORT
    return [
        resolve(
            topology,
            file.absolute(),
            state_dir,
            modules=loaded,
            redis_url=redis_url,
            attempt=attempt,
            single_host=single_host,
            dns_port=dns_port,
        )
        for attempt in range(ATTEMPTS)
    ]


def check_redis_url(url: str) -> None:
    """Raises BadInput for a text that is not an address of a Redis."""
    from cluster.redisio.url import RedisUrl  # imports Twisted

    try:
        RedisUrl.parse(url)
    except ValueError as error:
        raise BadInput(f"--redis: {error}") from None


def default_modules() -> tuple[str, ...]:
    """The modules that are loaded if a topology names none. Raises BadInput if one cannot be used."""
    try:
        return modules.defaults()
    except ValueError as error:
        raise BadInput(str(error)) from error


def default_file(root: Path) -> Path:
    """The topology if none is named: the only YAML file here, or the project's own. Raises BadInput."""
    here = sorted(root.glob("*.yaml"))
    if len(here) == 1:
        return here[0]
    if here:
        raise BadInput(
            f"several YAML files here ({', '.join(file.name for file in here)}); name one: `xmpplab up FILE`"
        )
    if (root / DEFAULT_FILE).is_file():
        return root / DEFAULT_FILE
    raise BadInput(
        f"no topology here: neither a *.yaml file nor {DEFAULT_FILE}; "
        "name one, such as `xmpplab up rfc3920`, or write one with `xmpplab init NAME`"
    )
