from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from cluster.xmpp.jid import Jid
from loadtests.crowd import Crowd
from loadtests.lab import RunningLab, Server

DOMAINS = ("montague.lit", "capulet.lit", "shakespeare.lit")


def crowd_of(users: int, domains: tuple[str, ...] = DOMAINS, seed: int = 1) -> tuple[Crowd, list[Jid]]:
    servers = tuple(Server(f"s{n}", domain, "127.0.0.1", 5222, "off", True) for n, domain in enumerate(domains))
    crowd = Crowd(RunningLab("verona", "verona.yaml", servers, Path("ca.pem")), "a1b2", "pw", Random(seed))
    jids = []
    for _ in range(users):
        server, login = crowd.next_account()
        assert login.jid.domainpart == server.domain
        assert login.register
        jids.append(login.jid)
        crowd.enter(login.jid)
    return crowd, jids


def test_accounts_are_spread_evenly_and_never_twice() -> None:
    _, jids = crowd_of(30)
    assert Counter(jid.domainpart for jid in jids) == dict.fromkeys(DOMAINS, 10)
    assert len(set(jids)) == 30
    assert str(jids[4]) == "load-4-a1b2@capulet.lit/locust"


def test_the_share_of_cross_domain_partners() -> None:
    for wanted in (0.0, 0.25, 1.0):
        crowd, jids = crowd_of(12)
        partners = [crowd.partner(jids[0], wanted) for _ in range(2000)]
        cross = sum(partner is not None and partner.domainpart != "montague.lit" for partner in partners)
        assert abs(cross / 2000 - wanted) < 0.05  # four standard deviations, and the seed is fixed
        assert jids[0] not in partners


def test_everybody_is_somebodys_partner() -> None:
    crowd, jids = crowd_of(9)
    assert {crowd.partner(jids[0], 0.5) for _ in range(2000)} == set(jids[1:])


def test_who_has_no_partner_of_a_kind_takes_the_other() -> None:
    crowd, jids = crowd_of(2)
    assert crowd.partner(jids[0], 0.0) == jids[1]
    crowd, jids = crowd_of(2, domains=("montague.lit",))
    assert crowd.partner(jids[0], 1.0) == jids[1]


def test_nobody_writes_to_who_has_left() -> None:
    crowd, jids = crowd_of(2)
    crowd.leave(jids[1])
    crowd.leave(jids[1])
    assert crowd.partner(jids[0], 0.5) is None


def test_message_ids_differ() -> None:
    crowd, _ = crowd_of(1)
    assert len({crowd.next_message_id() for _ in range(100)}) == 100
