"""What the operator asks of a running server."""

from __future__ import annotations

import pytest

from cluster.server.administration import Administration
from tests.network import MONTAGUE, Network, at_once
from tests.unit.server.component_network import SMS, join, with_components


@pytest.fixture
def operator(network: Network) -> Administration:
    return network.servers[MONTAGUE].server.administration


def test_accounts_come_and_go(network: Network, operator: Administration) -> None:
    at_once(operator.user_add("Romeo", "wherefore"))
    assert at_once(operator.user_ls()) == ["romeo"]
    romeo = network.login("romeo@montague.lit/pda", password="wherefore")
    network.connect()
    status = at_once(operator.status())
    assert status == {"ready": True, "streams": 2, "sessions": 1, "accounts": 1, "components": {}}
    at_once(operator.user_passwd("romeo", "therefore"))
    assert romeo.failed is None
    assert network.login("romeo@montague.lit/x", password="wherefore").failed is not None
    assert network.login("romeo@montague.lit/x", password="therefore").failed is None
    at_once(operator.user_del("romeo"))
    network.settle()
    assert romeo.failed is not None
    assert romeo.failed.condition == "not-authorized"
    assert at_once(operator.user_ls()) == []


def test_accounts_come_and_go_together(network: Network, operator: Administration) -> None:
    at_once(operator.user_add("romeo", "wherefore"))
    at_once(operator.users_add(["Load-0", "load-1", "romeo"], "secret"))
    assert at_once(operator.user_ls()) == ["load-0", "load-1", "romeo"]
    load = network.login("load-0@montague.lit/x", password="secret")
    assert load.failed is None
    assert network.login("romeo@montague.lit/x", password="wherefore").failed is None  # it is left as it was
    at_once(operator.users_del(["load-0", "load-1", "load-2"]))
    network.settle()
    assert load.failed is not None
    assert at_once(operator.user_ls()) == ["romeo"]


@pytest.mark.parametrize(
    ("request_name", "arguments", "message"),
    [
        ("user_add", ("romeo", "x"), "romeo@montague.lit exists already; `user passwd` changes its password"),
        ("user_add", ("a b", "x"), "localpart 'a b'"),
        ("user_add", ("benvolio", ""), "the password is empty"),
        ("user_passwd", ("nobody", "x"), "no account nobody@montague.lit; `xmpplab user ls` lists the accounts"),
        ("user_del", ("nobody",), "no account nobody@montague.lit; `xmpplab user ls` lists the accounts"),
    ],
)
def test_what_cannot_be_done_names_the_remedy(
    network: Network, operator: Administration, request_name: str, arguments: tuple[str, ...], message: str
) -> None:
    network.account("romeo@montague.lit")
    with pytest.raises(ValueError, match=message):
        at_once(getattr(operator, request_name)(*arguments))
    assert at_once(operator.user_ls()) == ["romeo"]


def test_which_components_are_there() -> None:
    for network in with_components():
        operator = network.servers[MONTAGUE].server.administration
        assert at_once(operator.status())["components"][SMS] is False
        join(network)
        assert at_once(operator.status())["components"][SMS] is True


def test_sessions_are_listed_and_ended(network: Network, operator: Administration) -> None:
    for jid in ("romeo@montague.lit", "benvolio@montague.lit"):
        network.account(jid)
    romeo = network.login("romeo@montague.lit/pda")
    balcony = network.login("romeo@montague.lit/orchard")
    network.login("benvolio@montague.lit/x")
    balcony.send("<presence><priority>-1</priority></presence>")
    network.settle()
    assert at_once(operator.session_ls("Romeo")) == [
        {"jid": "romeo@montague.lit/pda", "state": "connected", "priority": None},
        {"jid": "romeo@montague.lit/orchard", "state": "available", "priority": -1},
    ]
    assert len(at_once(operator.session_ls())) == 3
    assert at_once(operator.session_ls("nobody")) == []
    assert at_once(operator.session_end("romeo", "pda"))
    network.settle()
    assert romeo.failed is not None
    assert romeo.failed.condition == "policy-violation"
    assert [each["jid"] for each in at_once(operator.session_ls("romeo"))] == ["romeo@montague.lit/orchard"]
    assert not at_once(operator.session_end("romeo", "pda"))
    assert not at_once(operator.session_end("nobody", "pda"))
