"""The logins of one stream, one after the other."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.namespaces import SASL
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import KeysWanted, PasswordGiven
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES, LoginExchange, Told
from cluster.xmpp.streams.sasl import SaslCondition, SaslError
from tests.helpers import ids, keys_of

OFFERED = [*sasl.HASHES, "PLAIN"]


def begin(login: LoginExchange, mechanism: str, message: str) -> KeysWanted | PasswordGiven | Told:
    login.try_again(SASL)
    return login.begin(mechanism, OFFERED, sasl.encode(message), {})


def test_scram() -> None:
    login = LoginExchange("montague.lit", ids())
    assert begin(login, "SCRAM-SHA-256", "n,,n=Romeo,r=abc") == KeysWanted("romeo", "SCRAM-SHA-256")
    client = sasl.ScramClient(["SCRAM-SHA-256"], "Romeo", "secret", {}, "abc")
    client.first()
    challenge = login.challenge(keys_of("SCRAM-SHA-256", "secret"))
    told = login.respond(sasl.encode(client.answer(challenge)))
    assert isinstance(told, Told)
    assert told.accepted
    client.verify(told.data)
    assert login.localpart == "romeo"


def test_plain() -> None:
    login = LoginExchange("montague.lit", ids())
    assert begin(login, "PLAIN", "Romeo@montague.lit\0Romeo\0secret") == PasswordGiven("romeo", "secret")


@pytest.mark.parametrize("text", [None, ""])
def test_without_an_initial_response_the_client_is_asked_for_it(text: str | None) -> None:
    login = LoginExchange("montague.lit", ids())  # RFC 4422 section 5, RFC 6120 section 6.4.2
    told = login.begin("PLAIN", OFFERED, text, {})
    assert told == Told("", accepted=False)
    assert login.respond(sasl.encode("\0romeo\0secret")) == PasswordGiven("romeo", "secret")


def test_an_aborted_question_is_forgotten() -> None:
    login = LoginExchange("montague.lit", ids())
    login.begin("PLAIN", OFFERED, None, {})
    login.refuse(SaslError(SaslCondition.ABORTED))
    begin(login, "SCRAM-SHA-1", "n,,n=romeo,r=abc")
    login.challenge(keys_of("SCRAM-SHA-1", "secret"))
    with pytest.raises(SaslError) as caught:
        login.respond(sasl.encode("\0romeo\0secret"))
    assert caught.value.condition == SaslCondition.NOT_AUTHORIZED


def test_anonymous() -> None:
    login = LoginExchange("montague.lit", ids("guest"))  # RFC 4505; XEP-0175 section 3
    for text in (None, sasl.encode("tybalt@capulet.lit")):  # a trace is taken and not used
        told = login.begin("ANONYMOUS", [*OFFERED, "ANONYMOUS"], text, {})
        assert told == Told("", accepted=True)
        assert login.is_anonymous
    assert login.localpart == "guest2"


def test_each_try_has_a_nonce_of_its_own() -> None:
    login = LoginExchange("montague.lit", ids("nonce"))
    for number in (1, 2):
        begin(login, "SCRAM-SHA-1", "n,,n=romeo,r=abc")
        challenge = login.challenge(keys_of("SCRAM-SHA-1", "secret"))
        assert challenge.startswith(f"r=abcnonce{number},")
        login.refuse(SaslError(SaslCondition.ABORTED))


def test_failure_says_why() -> None:
    login = LoginExchange("montague.lit", ids())
    with pytest.raises(SaslError, match="on offer: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN") as caught:
        begin(login, "CRAM-MD5", "")
    assert caught.value.condition == SaslCondition.INVALID_MECHANISM
    failure = xml.parse(login.refuse(caught.value))
    assert [child.tag for child in failure] == [f"{{{SASL}}}invalid-mechanism", f"{{{SASL}}}text"]
    # nothing that would tell a wrong password from an unknown account
    assert login.refuse(SaslError(SaslCondition.NOT_AUTHORIZED)) == (
        f'<failure xmlns="{SASL}"><not-authorized/></failure>'.encode()
    )


def test_tries() -> None:
    login = LoginExchange("montague.lit", ids())
    for _ in range(MAX_LOGIN_TRIES):
        begin(login, "PLAIN", "\0romeo\0wrong")
        login.refuse(SaslError(SaslCondition.NOT_AUTHORIZED))
    with pytest.raises(StreamError) as caught:
        begin(login, "PLAIN", "\0romeo\0secret")
    assert caught.value.condition == StreamCondition.POLICY_VIOLATION
