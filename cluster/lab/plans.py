"""From a topology file to the plans for `up`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import overload

from typing_extensions import override

from cluster import modules
from cluster.lab.errors import BadInput
from cluster.lab.folder import LABS
from cluster.lab.provision.addresses import has_own_hosts, may_listen
from cluster.topology.load import load
from cluster.topology.plan import Plan
from cluster.topology.resolve import DNS_PORT, resolve
from cluster.topology.sharing import usual

ATTEMPTS = 10
"""Addresses depend on the folder, so another lab's are the same only by chance; ten times is no chance."""

DEFAULT_FILE = Path("topologies/verona.yaml")


def read_plans(file: Path, root: Path, redis_url: str = "", processes: int | None = None) -> Sequence[Plan]:
    """The same lab at different addresses, best first; its state goes to `.xmpplab/<name>` under `root`.

    `processes`: how many the servers share, as `sharing.shared` has it; None: as the file says.
    Raises TopologyError with all errors of the file, and BadInput for an address of Redis that cannot be used.
    """
    if redis_url:
        check_redis_url(redis_url)
    topology = load(file, modules.names())
    state_dir = (root / LABS / topology.name).absolute()
    check_text(state_dir)
    single_host = not has_own_hosts()
    dns_port = 53 if may_listen(53) else DNS_PORT
    if processes is None:
        processes = topology.processes or usual(len(topology.servers), cores())

    def attempt(number: int) -> Plan:
        return resolve(
            topology,
            file.absolute(),
            state_dir,
            modules=modules.defaults(),
            redis_url=redis_url,
            attempt=number,
            single_host=single_host,
            dns_port=dns_port,
            processes=processes,
        )

    return _Plans(attempt)


class _Plans(Sequence[Plan]):
    """One plan for each attempt, made on first use: usually only the first one is needed."""

    def __init__(self, attempt: Callable[[int], Plan]) -> None:
        self._attempt = cache(attempt)

    @overload
    def __getitem__(self, index: int) -> Plan: ...
    @overload
    def __getitem__(self, index: slice) -> list[Plan]: ...
    @override
    def __getitem__(self, index: int | slice) -> Plan | list[Plan]:
        if isinstance(index, slice):
            return [self[number] for number in range(ATTEMPTS)[index]]
        return self._attempt(range(ATTEMPTS)[index])

    @override
    def __len__(self) -> int:
        return ATTEMPTS


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def check_text(path: Path) -> None:
    """Raises BadInput for a path that cannot be in our files."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise BadInput(f"the name of the folder {path} is not UTF-8; go to another folder") from None


def check_redis_url(url: str) -> None:
    """Raises BadInput for a text that is not an address of a Redis."""
    from cluster.redisio.url import RedisUrl  # imports Twisted

    try:
        ca_file = RedisUrl.parse(url).ca_file
    except ValueError as error:
        raise BadInput(f"--redis: {error}") from None
    if ca_file:
        from cryptography import x509

        try:
            x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
        except (OSError, ValueError) as error:
            raise BadInput(f"--redis: no certificates (PEM) in {ca_file}: {error}; name the CA of that Redis") from None


def check_modules(plan: Plan) -> None:
    """Load the modules of all servers, before any of these starts. Raises BadInput for one that cannot be loaded."""
    try:
        modules.load({name: None for node in plan.ours for name in node.modules})
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
