"""Logins by token (XEP-0484), over whole streams."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionLost

from cluster.server.tokens import MAX_CLIENTS, RENEW_S, VALID_S
from cluster.store.memory_tokens import MemoryTokens
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import BIND2, FAST, SASL2
from cluster.xmpp.streams import hashed_token, sasl
from tests.modern import AGENT, OTHER_AGENT, Modern, authenticate, condition, identity, is_success, token_of
from tests.network import MONTAGUE, START_UTC_S, Network, at_once

ROMEO = "romeo@montague.lit"
NONE, ENDP, EXPR = "HT-SHA-256-NONE", "HT-SHA-256-ENDP", "HT-SHA-256-EXPR"
TWO = "s1-2"
BIND = f"<bind xmlns='{BIND2}'/>"
INVALIDATE = "invalidate='true'"


def request(mechanism: str = NONE) -> str:
    return f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"


def issued(network: Network, mechanism: str = NONE, agent: str = AGENT) -> str:
    token = token_of(Modern(network, ROMEO).log_in(request(mechanism), agent=agent))
    assert token
    return token


def use(network: Network, token: str, *inline: str, at: str = "", **how: str) -> list[Element]:
    return Modern(network, ROMEO, at=at).use(token, *inline, **how)


def works(network: Network, token: str, **how: str) -> bool:
    answer = use(network, token, **how)
    if is_success(answer):
        return True
    assert condition(answer) == "not-authorized"
    return False


def test_a_token_is_issued_with_its_time(network: Network) -> None:
    answer = Modern(network, ROMEO).log_in(BIND, request())  # section 3.3
    token = answer[0].find(f"{{{FAST}}}token")
    assert token is not None
    assert len(token.get("token", "")) > 5
    assert timestamp.parse(token.get("expiry", "")) == START_UTC_S + VALID_S
    assert token_of(Modern(network, ROMEO).log_in(BIND)) == ""  # nobody asked


def test_without_the_id_of_a_client_there_is_none(network: Network) -> None:
    answer = Modern(network, ROMEO).log_in(request(), agent="")  # section 4.1: xmpp.js asks so
    assert is_success(answer)
    assert token_of(answer) == ""


@pytest.mark.parametrize("mechanism", [NONE, ENDP, EXPR])
def test_a_login_by_token(network: Network, mechanism: str) -> None:
    token = issued(network, mechanism)
    romeo = Modern(network, ROMEO)
    answer = romeo.use(token, BIND, mechanism=mechanism)
    assert is_success(answer)
    assert identity(answer).bare == Jid.parse(ROMEO)
    expected = hashed_token.responder(token, hashed_token.binding_of(mechanism, romeo.bindings))
    assert sasl.decode_bytes(answer[0].findtext(f"{{{SASL2}}}additional-data")) == expected
    assert token_of(answer) == ""  # it is not due
    assert works(network, token, mechanism=mechanism)  # any number of times


def test_a_token_is_for_one_mechanism(network: Network) -> None:
    token = issued(network, ENDP)  # section 3.4: no downgrade
    for mechanism in (NONE, EXPR):
        assert not works(network, token, mechanism=mechanism)
    assert works(network, token, mechanism=ENDP)


def test_another_channel_is_noticed(network: Network) -> None:
    token = issued(network, ENDP)
    relayed = Modern(network, ROMEO)
    relayed.bindings = {**relayed.bindings, sasl.END_POINT: b"certificate of somebody else"}
    assert condition(relayed.use(token, mechanism=ENDP)) == "not-authorized"


def test_without_channel_bindings_only_one_mechanism_is_there(network: Network) -> None:
    romeo = Modern(network, ROMEO, {})
    assert token_of(romeo.log_in(request(ENDP))) == ""
    assert token_of(Modern(network, ROMEO, {}).log_in(request(NONE)))
    assert condition(Modern(network, ROMEO, {}).say(authenticate(ENDP, ""))) == "invalid-mechanism"


def test_a_token_is_for_one_client_of_one_account(network: Network) -> None:
    token = issued(network)
    assert not works(network, token, agent=OTHER_AGENT)
    assert condition(Modern(network, "benvolio@montague.lit").use(token)) == "not-authorized"
    assert not works(network, "guessed")
    assert works(network, token)


@pytest.mark.parametrize(
    "said",
    [
        authenticate(NONE, sasl.encode(b"romeo\0" + b"x" * 32)),  # without <fast/>
        authenticate(NONE, sasl.encode(b"romeo\0" + b"x" * 32), f"<fast xmlns='{FAST}'/>", agent=""),
        authenticate(NONE, "", f"<fast xmlns='{FAST}'/>"),
        authenticate(NONE, sasl.encode(b"romeo"), f"<fast xmlns='{FAST}'/>"),
        authenticate(NONE, sasl.encode(b"\0" + b"x" * 32), f"<fast xmlns='{FAST}'/>"),
        authenticate(NONE, sasl.encode(b"\xff\0" + b"x" * 32), f"<fast xmlns='{FAST}'/>"),
    ],
)
def test_malformed(network: Network, said: str) -> None:
    assert condition(Modern(network, ROMEO).say(said)) == "malformed-request"


def test_five_tries(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    for _ in range(5):
        assert condition(romeo.use("guessed")) == "not-authorized"
    assert romeo.use("guessed")[0].tag.endswith("}error")
    assert romeo.is_closed


def test_a_token_expires(network: Network) -> None:
    token = issued(network)
    network.clock.advance(VALID_S - 1)
    assert works(network, token)
    network.clock.advance(1)
    assert condition(use(network, token)) == "credentials-expired"  # section 4.2


def test_a_token_is_renewed_in_time(network: Network) -> None:
    first = issued(network)  # section 3.5
    network.clock.advance(VALID_S - RENEW_S + 1)
    lost = token_of(use(network, first))
    assert lost not in ("", first)
    second = token_of(use(network, first))  # the answer was lost: the first is still good
    assert second not in ("", first, lost)
    assert not works(network, lost)  # it was not used
    assert works(network, first)
    third = token_of(use(network, first))
    assert works(network, third)
    assert not works(network, first)  # ends when a later one is used
    assert token_of(use(network, third)) == ""


def test_the_client_may_count(network: Network) -> None:
    token = issued(network)
    assert works(network, token, fast="count='1'")
    assert not works(network, token, fast="count='1'")
    assert works(network, token, fast="count='7'")
    assert not works(network, token, fast="count='6'")
    assert works(network, token)


def test_a_client_gives_its_tokens_up(network: Network) -> None:
    token = issued(network)  # section 3.6
    other = issued(network, agent=OTHER_AGENT)
    network.clock.advance(VALID_S - RENEW_S + 1)
    assert token_of(use(network, token, fast=INVALIDATE)) == ""  # although one is due
    assert not works(network, token)
    assert works(network, other, agent=OTHER_AGENT)
    token = issued(network)
    new = token_of(use(network, token, request(), fast=INVALIDATE))
    assert not works(network, token)
    assert works(network, new)


def test_a_failed_login_gives_nothing_up(network: Network) -> None:
    token = issued(network)
    assert not works(network, "guessed", fast=INVALIDATE)
    assert works(network, token)


def test_a_new_password_ends_the_tokens(network: Network) -> None:
    token, salts = issued(network), iter([b"another salt", b"and yet another"])
    credentials = network.servers[MONTAGUE].domain.credentials
    credentials._new_salt = lambda: next(salts)
    assert at_once(credentials.change("romeo", "other"))
    assert not works(network, token)


def test_the_tokens_go_with_the_account(network: Network) -> None:
    token = issued(network)
    assert at_once(network.servers[MONTAGUE].domain.remove_account("romeo"))
    assert at_once(network.servers[MONTAGUE].store.tokens.of_account("romeo")) == {}
    network.account(ROMEO)
    assert not works(network, token)


def test_a_token_is_good_after_a_restart_and_at_every_node(network: Network) -> None:
    token = issued(network)
    network.restart(MONTAGUE)
    assert works(network, token)
    network.add_node(TWO)
    answer = use(network, token, BIND, at=TWO)
    assert is_success(answer)


def test_the_tokens_of_an_account_are_bounded(network: Network) -> None:
    agents = [f"{number:08x}-4d72-4749-b3d3-740edbf87770" for number in range(MAX_CLIENTS + 1)]
    first = issued(network, agent=agents[0])
    network.clock.advance(1)
    second = issued(network, agent=agents[1])
    for agent in agents[2:]:
        issued(network, agent=agent)
    assert not works(network, first, agent=agents[0])  # the one that would have expired first
    assert works(network, second, agent=agents[1])
    assert len(at_once(network.servers[MONTAGUE].store.tokens.of_account("romeo"))) == MAX_CLIENTS


@pytest.mark.parametrize("way", ["get", "replace"])
def test_while_the_storage_is_away(network: Network, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    async def away(*about: object) -> None:
        raise ConnectionLost

    token = issued(network)
    monkeypatch.setattr(MemoryTokens, way, away)
    romeo = Modern(network, ROMEO)
    assert condition(romeo.use(token, BIND, fast="count='1'")) == "temporary-auth-failure"
    assert condition(romeo.log_in(BIND, request())) == "temporary-auth-failure"
    monkeypatch.undo()
    assert is_success(romeo.use(token, BIND, fast="count='1'"))


def test_two_logins_at_once_change_the_tokens_one_after_the_other(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, get = issued(network), MemoryTokens.get
    between = iter([True])

    async def interrupted(store: MemoryTokens, localpart: str, agent: str) -> object:
        found = await get(store, localpart, agent)
        if next(between, False):
            assert works(network, token, fast="count='5'")
        return found

    monkeypatch.setattr(MemoryTokens, "get", interrupted)
    assert not works(network, token, fast="count='5'")  # the other one was first


def test_an_anonymous_account_has_no_tokens() -> None:
    network = Network(anonymous=True)
    romeo = Modern(network, ROMEO)
    answer = romeo.say(authenticate("ANONYMOUS", "=", BIND, request()))
    assert is_success(answer)
    assert token_of(answer) == ""
    assert identity(answer).resourcepart
