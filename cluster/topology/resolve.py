"""From a valid Topology to a Plan: defaults inherited, contacts made mutual, addresses given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.topology import addresses
from cluster.topology.model import Server, ServerSettings, Topology
from cluster.topology.plan import AccountSeed, ContactSeed, Plan, ServerNode
from cluster.xmpp.jid import Jid


def resolve(
    topology: Topology,
    path: Path,
    state_dir: Path,
    *,
    modules: Sequence[str],
    redis_url: str = "",
    attempt: int = 0,
    single_host: bool = False,
) -> Plan:
    """The lab as it will run. Pure: the same arguments give the same Plan.

    `path` is the file it came from, `state_dir` the lab's absolute folder, which the addresses depend on; `modules`
    those to load where the file names none. With another `attempt` the addresses are others: try the next one when
    a port is taken. `single_host`: the system has only 127.0.0.1 (macOS). Raises ValueError for a relative state_dir.
    """
    if not state_dir.is_absolute():
        raise ValueError(f"state_dir must be absolute, or two labs could get the same addresses: {state_dir}")
    settings = [settings_of(server, topology.defaults) for server in topology.servers.values()]
    ports = [setting.c2s_port for setting in settings]
    taken = addresses.one_host(ports, attempt) if single_host else addresses.own_hosts(str(state_dir), ports, attempt)
    seeds = _accounts(topology)
    servers = tuple(
        ServerNode(
            name=name,
            domain=server.domain,
            host=host,
            c2s_port=port,
            tls=setting.tls,
            registration=setting.registration == "open",
            modules=tuple(modules if setting.modules is None else setting.modules),
            accounts=tuple(seed for jid, seed in seeds.items() if jid.domainpart == server.domain),
        )
        for (name, server), setting, (host, port) in zip(topology.servers.items(), settings, taken, strict=True)
    )
    return Plan(
        name=topology.name,
        topology=str(path),
        state_dir=str(state_dir),
        servers=servers,
        sample_every=topology.trace.sample_every,
        redis_url=redis_url,
        max_backlog=topology.router.max_backlog,
    )


def settings_of(server: Server, defaults: ServerSettings) -> ServerSettings:
    """What holds for a server: its own keys, else those of `defaults`, else the model's. The one place that says so."""
    own = server.model_fields_set & ServerSettings.model_fields.keys()
    return defaults.model_copy(update={key: getattr(server, key) for key in own})


def _accounts(topology: Topology) -> dict[Jid, AccountSeed]:
    """The accounts with their rosters: who has a contact is one of that contact's, too."""
    rosters: dict[str, dict[str, ContactSeed]] = {
        owner: {each.jid: ContactSeed(each.jid, each.name, tuple(each.groups)) for each in account.contacts}
        for owner, account in topology.accounts.items()
    }
    for owner, account in topology.accounts.items():
        for contact in account.contacts:
            rosters[contact.jid].setdefault(owner, ContactSeed(owner))
    seeds = {}
    for owner, account in topology.accounts.items():
        jid = Jid.parse(owner)
        seeds[jid] = AccountSeed(jid.localpart, account.password, tuple(rosters[owner].values()))
    return seeds
