"""A plan to test with."""

from pathlib import Path

from cluster.topology.plan import AccountSeed, Plan, XmpplabServer

ACCOUNTS = {"montague.lit": "romeo", "capulet.lit": "juliet"}


def make_plan(state_dir: Path, *, name: str = "verona", host: str = "127.0.0.1", redis_url: str = "") -> Plan:
    """Two domains."""
    servers = tuple(
        XmpplabServer(
            name=f"s{number}",
            domain=domain,
            host=host,
            c2s_port=5221 + number,
            tls="required",
            registration=False,
            modules=(),
            accounts=(AccountSeed(account, "secret"),),
        )
        for number, (domain, account) in enumerate(ACCOUNTS.items(), 1)
    )
    return Plan(name, "verona.yaml", str(state_dir), servers, redis_url=redis_url)
