from __future__ import annotations

from collections import Counter
from random import Random

from cluster.xmpp.jid import Jid
from loadtests.accounts import Listed
from loadtests.crowd import Circle, Crowd
from loadtests.lab import RunningLab, Server

DOMAINS = ("montague.lit", "capulet.lit", "shakespeare.lit")


def crowd_of(users: int, domains: tuple[str, ...] = DOMAINS, seed: int = 1) -> tuple[Circle, list[Jid]]:
    servers = tuple(Server(f"s{n}", domain, "127.0.0.1", 5222, "off", True) for n, domain in enumerate(domains))
    accounts = Listed([], "a1b2", "pw")
    crowd = Crowd(RunningLab("verona", "verona.yaml", servers), accounts, "a1b2", Random(seed)).circle("ChatUser")
    jids = []
    for number in range(users):
        place = crowd.take_place()
        assert place.number == number
        assert place.login.jid.domainpart == place.server.domain
        assert place.login.register
        jids.append(place.login.jid)
        crowd.enter(place.login.jid)
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
    crowd = Crowd(RunningLab("verona", "verona.yaml", ()), Listed([], "a1b2", "pw"), "a1b2", Random(1))
    assert len({crowd.next_message_id() for _ in range(100)}) == 100


def test_the_users_of_one_class_do_not_write_to_those_of_another() -> None:
    servers = (Server("s1", "montague.lit", "127.0.0.1", 5222, "off", True),)
    crowd = Crowd(RunningLab("verona", "verona.yaml", servers), Listed([], "a1b2", "pw"), "a1b2", Random(1))
    chatting, coming = (crowd.circle(name).take_place().login.jid for name in ("ChatUser", "LoginUser"))
    assert chatting != coming
    crowd.circle("ChatUser").enter(chatting)
    crowd.circle("LoginUser").enter(coming)
    assert crowd.circle("ChatUser").partner(chatting, 0.5) is None
