"""What `up` says of a file that was changed while its lab runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cluster.lab.errors import LabError
from cluster.lab.provision.same import MOST_SHOWN, check_same
from cluster.topology.difference import differences
from cluster.topology.plan import AccountSeed, LinkSeed, Plan
from cluster.topology.scale import with_nodes
from tests.unit.lab.plan import make_plan

replaced = msgspec.structs.replace
RUNNING = make_plan(Path("/lab"))


def changed(number: int = 0, **values: object) -> Plan:
    servers = [*RUNNING.servers]
    servers[number] = replaced(servers[number], **values)
    return replaced(RUNNING, servers=tuple(servers))


def test_the_same_lab() -> None:
    assert differences(RUNNING, [RUNNING]) == []
    assert differences(RUNNING, [make_plan(Path("/lab"), host="127.0.0.9"), RUNNING]) == []  # of its addresses, one
    assert differences(with_nodes(RUNNING, "s1", 3), [RUNNING]) == []  # however it was scaled
    check_same(RUNNING, [RUNNING])


@pytest.mark.parametrize(
    ("wanted", "difference"),
    [
        (changed(registration=True), "servers.s1.registration is another one: false runs, true is wanted"),
        (changed(1, domain="denmark.lit"), "servers.s2.domain is another one: capulet.lit runs, denmark.lit is wanted"),
        (changed(modules=("ping",)), "servers.s1.modules is another one: none runs, ping is wanted"),
        (replaced(RUNNING, servers=RUNNING.servers[:1]), "servers.s2 is gone"),
        (replaced(RUNNING, sample_every=7), "sample_every is another one: 1000 runs, 7 is wanted"),
        (changed(accounts=()), "servers.s1.accounts.romeo is gone"),
        (
            changed(accounts=(AccountSeed("romeo", "secret"), AccountSeed("mercutio", "secret"))),
            "servers.s1.accounts.mercutio is new",
        ),
        (
            replaced(RUNNING, links=(LinkSeed("montague.lit", "capulet.lit", {"loss": 0.1}),)),
            "links.montague.lit → capulet.lit is new",
        ),
    ],
)
def test_what_differs(wanted: Plan, difference: str) -> None:
    assert differences(RUNNING, [wanted]) == [difference]
    with pytest.raises(LabError) as refusal:
        check_same(RUNNING, [wanted])
    assert f"\n    {difference}\n" in str(refusal.value)
    assert "xmpplab down --keep" in str(refusal.value)


def test_no_password_is_shown() -> None:
    wanted = replaced(changed(accounts=(AccountSeed("romeo", "moonlight"),)), redis_url="redis://:hush@redis.example")
    found = differences(RUNNING, [wanted])
    assert found == ["servers.s1.accounts.romeo.password is another one", "redis_url is another one"]


def test_a_long_list_is_cut() -> None:
    accounts = tuple(AccountSeed(f"servant{number}", "secret") for number in range(20))
    with pytest.raises(LabError, match=f"and {21 - MOST_SHOWN} more"):
        check_same(RUNNING, [changed(accounts=accounts)])
