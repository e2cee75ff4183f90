"""In-band registration (XEP-0077): before a login, a new password, and the end of an account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.server.credentials import PASSWORD_CHANGES_PER_MINUTE
from cluster.xmpp.namespaces import CLIENT, REGISTER
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from tests.network import MONTAGUE, Network, at_once, watched_log
from tests.unit.modules.registering import FEATURE, HEADER, before_login, iq, login


@pytest.fixture
def opened() -> Iterator[Network]:
    """A network where anybody may make an account."""
    with watched_log() as failures:
        yield Network(registration=True)
    assert not failures


def test_the_form(opened: Network) -> None:
    answer = before_login(opened, iq("get"))  # section 3.1
    assert "<instructions>" in answer
    assert "<username/><password/>" in answer
    assert "registered" not in answer


def test_an_account_is_made_and_used(opened: Network) -> None:
    assert 'type="result"' in before_login(opened, iq("set", login("Romeo", "wherefore")))
    assert opened.login("romeo@montague.lit/pda", password="wherefore").jid
    wrong = opened.login("romeo@montague.lit/pda", password="therefore")
    assert wrong.failed is not None
    assert wrong.failed.condition == "not-authorized"


def test_a_client_registers_and_logs_in_on_one_stream(opened: Network) -> None:
    for _ in range(2):  # the second time it exists already
        romeo = opened.login("romeo@montague.lit/pda", password="wherefore", register=True)
        assert romeo.failed is None


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (login("benvolio", "x"), "conflict"),  # section 3.1
        (login("BENVOLIO", "x"), "conflict"),
        ("", "not-acceptable"),
        ("<username>romeo</username>", "not-acceptable"),
        (login("romeo", ""), "not-acceptable"),
        (login("", "x"), "not-acceptable"),
        (login("a b", "x"), "not-acceptable"),
        (login("romeo@montague.lit", "x"), "not-acceptable"),
        (login("x" * 1024, "x"), "not-acceptable"),
        (login("romeo", "x" * 1024), "not-acceptable"),
        (login("romeo", "&#x7;&#x7;"), None),  # no XML at all
        (login("romeo", "\u200e\u0627x"), "not-acceptable"),  # RFC 4013 section 2.4: mixed directions
        ("<remove/>", "unexpected-request"),
    ],
)
def test_what_makes_no_account(opened: Network, content: str, condition: str | None) -> None:
    opened.account("benvolio@montague.lit")
    answer = before_login(opened, iq("set", content))
    if condition is None:
        assert "not-well-formed" in answer
    else:
        assert f"<{condition} " in answer
        assert "</stream:stream>" not in answer
    assert at_once(opened.servers[MONTAGUE].store.accounts.names()) == ["benvolio"]


@pytest.mark.parametrize("type", ["result", "error", "put"])
def test_what_no_request_is_does_not_stop_the_stream(opened: Network, type: str) -> None:
    connection = opened.connect()
    opened.say(connection, HEADER + iq(type) + iq("set", login("romeo", "wherefore")))
    assert connection.output.count(b'<iq id="1" type="result"') == 1


@pytest.mark.parametrize("payload", ["<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:roster'/>"])
def test_nothing_else_is_answered_before_the_login(opened: Network, payload: str) -> None:
    answer = before_login(opened, f"<iq type='get' id='1'>{payload}</iq>")
    assert "service-unavailable" in answer


def test_the_password_does_not_come_back(opened: Network) -> None:
    opened.account("benvolio@montague.lit")  # section 3.3
    assert "wherefore" not in before_login(opened, iq("set", login("benvolio", "wherefore")))
    romeo = opened.client("romeo@montague.lit/pda")
    opened.say(romeo, iq("set", login("benvolio", "wherefore")))
    assert [part.tag for part in romeo.stanzas[0]] == [f"{{{CLIENT}}}error"]


def test_a_stream_that_is_refused_too_often_ends(opened: Network) -> None:
    opened.account("benvolio@montague.lit")
    connection = opened.connect()
    taken = iq("set", login("benvolio", "x"))
    opened.say(connection, HEADER + taken * MAX_LOGIN_TRIES)
    assert connection.output.count(b"<conflict ") == MAX_LOGIN_TRIES
    assert not connection.is_closed
    opened.say(connection, iq("set", login("romeo", "x")))
    assert b"<policy-violation " in connection.output
    assert at_once(opened.servers[MONTAGUE].store.accounts.names()) == ["benvolio"]


def test_so_many_from_one_address_in_a_minute() -> None:
    network = Network(registration=True, registrations_per_minute=2)
    for name in ("romeo", "benvolio"):
        assert 'type="result"' in before_login(network, iq("set", login(name, "x")))
    refused = before_login(network, iq("set", login("mercutio", "x")))
    assert "<resource-constraint " in refused
    assert 'type="wait"' in refused
    assert "registrations_per_minute" in refused
    network.advance(60)
    assert 'type="result"' in before_login(network, iq("set", login("mercutio", "x")))
    assert at_once(network.servers[MONTAGUE].store.accounts.names()) == ["benvolio", "mercutio", "romeo"]


def test_a_password_is_not_changed_without_end(opened: Network) -> None:
    """Each change costs milliseconds of CPU, and a client can ask for thousands in one write."""
    romeo, benvolio = opened.client("romeo@montague.lit/pda"), opened.client("benvolio@montague.lit/hall")
    opened.say(romeo, "".join(iq("set", login("romeo", f"new{n}")) for n in range(100)))
    answers = romeo.take()
    assert [line.startswith("iq/result") for line in answers] == [n < PASSWORD_CHANGES_PER_MINUTE for n in range(100)]
    assert answers[-1].endswith("wait resource-constraint")
    opened.say(benvolio, iq("set", login("benvolio", "x")))
    assert benvolio.take() == ["iq/result 1"]
    assert opened.login("romeo@montague.lit/x", password=f"new{PASSWORD_CHANGES_PER_MINUTE - 1}").jid
    opened.advance(60)
    opened.say(romeo, iq("set", login("romeo", "another")))
    assert opened.login("romeo@montague.lit/x", password="another").jid


def test_closed(network: Network) -> None:
    connection = network.connect()
    network.say(connection, HEADER)
    assert FEATURE not in connection.output
    network.say(connection, iq("set", login("romeo", "x")))
    assert b"not-authorized" in connection.output
    assert connection.is_closed
    assert at_once(network.servers[MONTAGUE].store.accounts.names()) == []


@pytest.mark.parametrize("to", ["", "montague.lit", "romeo@montague.lit"])
def test_a_new_password(network: Network, to: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")  # section 3.3
    network.say(romeo, iq("get", to=to))
    assert romeo.stanzas[0].find(f"{{{REGISTER}}}query/{{{REGISTER}}}registered") is not None
    romeo.take()
    network.say(romeo, iq("set", login("romeo", "new"), to))
    assert romeo.take() == [f"iq/result {to} 1" if to else "iq/result 1"]
    assert network.login("romeo@montague.lit/x", password="new").failed is None
    assert network.login("romeo@montague.lit/x").failed is not None


@pytest.mark.parametrize("more", ["<username>romeo</username>", "<remove/>"])
def test_remove_stands_alone(network: Network, more: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, iq("set", f"<remove/>{more}"))
    assert romeo.take() == ["iq/error 1: modify bad-request"]
    assert network.login("romeo@montague.lit/x").failed is None


def test_another_domain_does_not_know_one(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    network.account("romeo@capulet.lit")
    network.say(romeo, iq("get", to="capulet.lit"))
    assert romeo.take() == ["iq/error capulet.lit 1: auth forbidden"]


@pytest.mark.parametrize(
    ("content", "to", "condition"),
    [
        (login("benvolio", "new"), "", "cancel not-allowed"),
        (login("romeo", ""), "", "modify bad-request"),
        (login("romeo", "new"), "capulet.lit", "auth forbidden"),
        ("<remove/>", "capulet.lit", "auth forbidden"),
        (login("benvolio", "new"), "benvolio@montague.lit", "auth forbidden"),
        ("<remove/>", "benvolio@montague.lit", "auth forbidden"),
    ],
)
def test_nobody_changes_another_account(network: Network, content: str, to: str, condition: str) -> None:
    network.account("benvolio@montague.lit")
    network.account("romeo@capulet.lit")
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, iq("set", content, to))
    [answer] = romeo.take()
    assert answer.endswith(condition)
    for jid in ("romeo@montague.lit/x", "benvolio@montague.lit/x", "romeo@capulet.lit/x"):
        assert network.login(jid).failed is None


def test_the_end_of_an_account(network: Network) -> None:
    # XEP-0077 section 3.2
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    network.friends("romeo@montague.lit", "benvolio@montague.lit")
    juliet, benvolio = network.online("juliet@capulet.lit/x"), network.online("benvolio@montague.lit/x")
    nurse = network.online("nurse@capulet.lit/x")
    phone, romeo = network.online("romeo@montague.lit/phone"), network.online("romeo@montague.lit/pda")
    network.say(nurse, "<presence to='romeo@montague.lit' type='subscribe'/>")
    network.forget()
    network.say(romeo, iq("set", "<remove/>"))
    assert romeo.take()[0] == "iq/result 1"
    assert romeo.failed is not None
    assert phone.failed is not None
    assert {romeo.failed.condition, phone.failed.condition} == {"not-authorized"}
    for contact in (juliet, benvolio):
        assert contact.take() == [
            "presence/unavailable romeo@montague.lit/phone",
            "presence/unavailable romeo@montague.lit/pda",
            "presence/unsubscribed romeo@montague.lit",
            "push romeo@montague.lit from",
            "presence/unsubscribe romeo@montague.lit",
            "push romeo@montague.lit none",
        ]
    assert nurse.take() == ["presence/unsubscribed romeo@montague.lit", "push romeo@montague.lit none"]
    again = network.login("romeo@montague.lit/pda")
    assert again.failed is not None
    assert again.failed.condition == "not-authorized"


def test_nothing_of_a_removed_account_is_found_by_the_next_of_its_name(network: Network) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    network.say(juliet, "<message to='romeo@montague.lit' type='chat'><body>for the old one</body></message>")
    network.say(romeo, iq("set", "<remove/>"))
    network.say(juliet, "<message to='romeo@montague.lit' type='chat'><body>for nobody</body></message>")
    assert juliet.take()[-1] == "message/error romeo@montague.lit: cancel service-unavailable"
    newcomer = network.client("romeo@montague.lit/pda")
    network.say(newcomer, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
    assert newcomer.take() == ["iq/result r: query", "presence romeo@montague.lit/pda"]
    assert network.item("romeo@montague.lit", "juliet@capulet.lit") is None
