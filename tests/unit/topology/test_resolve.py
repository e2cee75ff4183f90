from __future__ import annotations

from pathlib import Path

import pytest

from cluster.topology.plan import AccountSeed, ContactSeed, Plan
from cluster.topology.resolve import resolve

from .conftest import MODULES, Load

FILE = Path("lab.yaml")
STATE_DIR = Path("/home/romeo/.xmpplab/verona")

VERONA = """
    name: verona
    defaults: {tls: optional, registration: open, modules: [ping]}
    servers:
      s1: {domain: montague.lit, tls: required, registration: closed}
      s2: {domain: capulet.lit, modules: [], c2s_port: 6222}
      s3: {domain: shakespeare.lit, modules: }
    accounts:
      romeo@montague.lit:
        password: wherefore
        contacts:
          - {jid: juliet@capulet.lit, name: Juliet, groups: [Verona, Love]}
          - mercutio@shakespeare.lit
      juliet@capulet.lit: {contacts: [nurse@capulet.lit, {jid: romeo@montague.lit, name: Romeo}]}
      nurse@capulet.lit:
      mercutio@shakespeare.lit:
    trace: {sample_every: 7}
    router: {max_backlog: 11}
"""


@pytest.fixture
def plan(load_text: Load) -> Plan:
    return resolve(load_text(VERONA), FILE, STATE_DIR, modules=MODULES, redis_url="redis://127.0.0.1:6379")


def test_a_server_inherits_what_it_does_not_say(plan: Plan) -> None:
    assert [(s.name, s.domain, s.tls, s.registration, s.c2s_port) for s in plan.servers] == [
        ("s1", "montague.lit", "required", False, 5222),
        ("s2", "capulet.lit", "optional", True, 6222),
        ("s3", "shakespeare.lit", "optional", True, 5222),
    ]


def test_modules_are_the_listed_ones_or_all(plan: Plan) -> None:
    assert [s.modules for s in plan.servers] == [("ping",), (), MODULES]


def test_what_is_not_of_a_server_is_carried_over(plan: Plan) -> None:
    assert (plan.name, plan.topology, plan.state_dir) == ("verona", "lab.yaml", str(STATE_DIR))
    assert (plan.sample_every, plan.max_backlog, plan.redis_url) == (7, 11, "redis://127.0.0.1:6379")


def test_contacts_are_mutual_and_names_stay_on_their_side(plan: Plan) -> None:
    assert [s.accounts for s in plan.servers] == [
        (
            AccountSeed(
                "romeo",
                "wherefore",
                (
                    ContactSeed("juliet@capulet.lit", "Juliet", ("Verona", "Love")),
                    ContactSeed("mercutio@shakespeare.lit"),
                ),
            ),
        ),
        (
            AccountSeed(
                "juliet",
                "secret",
                (ContactSeed("nurse@capulet.lit"), ContactSeed("romeo@montague.lit", "Romeo")),
            ),
            AccountSeed("nurse", "secret", (ContactSeed("juliet@capulet.lit"),)),
        ),
        (AccountSeed("mercutio", "secret", (ContactSeed("romeo@montague.lit"),)),),
    ]


def test_it_is_pure_and_each_lab_and_attempt_has_hosts_of_its_own(load_text: Load) -> None:
    topology = load_text(VERONA)

    def hosts(state_dir: Path, attempt: int) -> set[str]:
        plan = resolve(topology, FILE, state_dir, modules=MODULES, attempt=attempt)
        return {server.host for server in plan.servers}

    other = Path("/home/juliet/.xmpplab/verona")
    assert hosts(STATE_DIR, 0) == hosts(STATE_DIR, 0)
    assert len(hosts(STATE_DIR, 0) | hosts(STATE_DIR, 1) | hosts(other, 0)) == 9


def test_a_single_host_shares_its_ports(load_text: Load) -> None:
    plan = resolve(load_text(VERONA), FILE, STATE_DIR, modules=MODULES, single_host=True)
    assert [server.c2s for server in plan.servers] == ["127.0.0.1:5222", "127.0.0.1:6232", "127.0.0.1:5242"]


def test_a_relative_state_folder_is_refused(load_text: Load) -> None:
    with pytest.raises(ValueError, match="state_dir must be absolute"):
        resolve(load_text(VERONA), FILE, Path(".xmpplab/verona"), modules=MODULES)


def test_a_plan_survives_its_file(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(plan.encoded())
    assert Plan.load(tmp_path / "plan.json") == plan
