"""SASL: SCRAM by the RFCs' examples and against an implementation of its formulas."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.sasl import SaslCondition, SaslError, ScramClient, ScramLogin
from tests.helpers import BINDINGS, keys_of

# mechanism, name, password, server's part of the nonce, salt, then the four messages
EXAMPLES = {
    "RFC 5802 section 5": (
        ("SCRAM-SHA-1", "user", "pencil", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92"),
        "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "RFC 7677 section 3": (
        ("SCRAM-SHA-256", "user", "pencil", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ=="),
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
    "RFC 6120 section 9.1.2": (
        (
            "SCRAM-SHA-1",
            "juliet",
            "r0m30myr0m30",
            "e124695b-69a9-4de6-9c30-b51b3808c59e",
            "NjhkYTM0MDgtNGY0Zi00NjdmLTkxMmUtNDlmNTNmNDNkMDMz",
        ),
        "n,,n=juliet,r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AA",
        "r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AAe124695b-69a9-4de6-9c30-b51b3808c59e,"
        "s=NjhkYTM0MDgtNGY0Zi00NjdmLTkxMmUtNDlmNTNmNDNkMDMz,i=4096",
        "c=biws,r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AAe124695b-69a9-4de6-9c30-b51b3808c59e,p=UA57tM/SvpATBkH2FXs0WDXvJYw=",
        "v=pNNDFVEQxuXxCoSEiW8GEZ+1RSo=",
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_examples_of_the_rfcs(example: tuple[tuple[str, str, str, str, str], str, str, str, str]) -> None:
    (mechanism, name, password, nonce, salt), client_first, server_first, client_final, server_final = example
    server = ScramLogin(mechanism, {}, nonce)
    assert server.username(client_first) == name
    assert server.challenge(sasl.make_keys(mechanism, password, base64.b64decode(salt), 4096)) == server_first
    assert server.finish(client_final) == server_final

    client = ScramClient([mechanism], name, password, {}, client_first.partition("r=")[2])
    assert client.mechanism == mechanism
    assert client.first() == client_first
    assert client.answer(server_first) == client_final
    client.verify(server_final)


class ByTheBook:
    """A SCRAM client that is nothing but the formulas of RFC 5802 section 3."""

    def __init__(self, mechanism: str, password: str, flag: str, binding: bytes = b"") -> None:
        self._hash = "sha256" if "256" in mechanism else "sha1"
        self._password = password.encode()
        self._flag, self._binding = flag, binding
        self._bare = "n=romeo,r=client"
        self.first = f"{flag},,{self._bare}"

    def final(self, server_first: str) -> str:
        fields = dict(field.split("=", 1) for field in server_first.split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored_key = hashlib.new(self._hash, client_key).digest()
        channel = base64.b64encode(f"{self._flag},,".encode() + self._binding).decode()
        without_proof = f"c={channel},r={fields['r']}"
        message = f"{self._bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(stored_key, message, self._hash)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", self._hash)
        self.expected = f"v={base64.b64encode(hmac.digest(server_key, message, self._hash)).decode()}"
        return f"{without_proof},p={base64.b64encode(proof).decode()}"


def login(mechanism: str, client: ByTheBook, bindings: dict[str, bytes], password: str = "secret") -> str:
    server = ScramLogin(mechanism, bindings, "server")
    assert server.username(client.first) == "romeo"
    return server.finish(client.final(server.challenge(keys_of(server.hash_name, password))))


@pytest.mark.parametrize("hash_name", sasl.HASHES)
@pytest.mark.parametrize("binding", BINDINGS)
def test_channel_binding(hash_name: str, binding: str) -> None:
    client = ByTheBook(f"{hash_name}-PLUS", "secret", f"p={binding}", BINDINGS[binding])
    assert login(f"{hash_name}-PLUS", client, BINDINGS) == client.expected


@pytest.mark.parametrize("hash_name", sasl.HASHES)
@pytest.mark.parametrize("bindings", [{}, BINDINGS])
def test_no_channel_binding(hash_name: str, bindings: dict[str, bytes]) -> None:
    client = ByTheBook(hash_name, "secret", "n")
    assert login(hash_name, client, bindings) == client.expected


def test_client_that_could_bind_where_nothing_is_offered() -> None:
    client = ByTheBook("SCRAM-SHA-256", "secret", "y")
    assert login("SCRAM-SHA-256", client, {}) == client.expected


PLUS = "SCRAM-SHA-256-PLUS"


@pytest.mark.parametrize(
    ("mechanism", "client", "bindings", "condition"),
    [
        # a man in the middle: another TLS session, another certificate (RFC 5802 section 6)
        (PLUS, ByTheBook(PLUS, "secret", f"p={sasl.EXPORTER}", b"another"), BINDINGS, SaslCondition.NOT_AUTHORIZED),
        (PLUS, ByTheBook(PLUS, "secret", f"p={sasl.END_POINT}", b"another"), BINDINGS, SaslCondition.NOT_AUTHORIZED),
        (
            PLUS,
            ByTheBook(PLUS, "secret", f"p={sasl.END_POINT}", BINDINGS[sasl.EXPORTER]),
            BINDINGS,
            SaslCondition.NOT_AUTHORIZED,
        ),
        # one that strips the offer of -PLUS
        ("SCRAM-SHA-256", ByTheBook(PLUS, "secret", "y"), BINDINGS, SaslCondition.MALFORMED_REQUEST),
        # -PLUS without binding, with a kind that is not known here, or with none at all
        (PLUS, ByTheBook(PLUS, "secret", "n"), BINDINGS, SaslCondition.MALFORMED_REQUEST),
        (PLUS, ByTheBook(PLUS, "secret", "y"), BINDINGS, SaslCondition.MALFORMED_REQUEST),
        (PLUS, ByTheBook(PLUS, "secret", "p=tls-unique", b"x"), BINDINGS, SaslCondition.MALFORMED_REQUEST),
        (PLUS, ByTheBook(PLUS, "secret", "p="), BINDINGS, SaslCondition.MALFORMED_REQUEST),
        (PLUS, ByTheBook(PLUS, "secret", "x"), BINDINGS, SaslCondition.MALFORMED_REQUEST),
        ("SCRAM-SHA-1", ByTheBook(PLUS, "secret", f"p={sasl.EXPORTER}", b"x"), {}, SaslCondition.MALFORMED_REQUEST),
        # passwords
        ("SCRAM-SHA-1", ByTheBook("SCRAM-SHA-1", "wrong", "n"), {}, SaslCondition.NOT_AUTHORIZED),
        ("SCRAM-SHA-256", ByTheBook("SCRAM-SHA-256", "Secret", "n"), {}, SaslCondition.NOT_AUTHORIZED),
        ("SCRAM-SHA-256", ByTheBook("SCRAM-SHA-1", "secret", "n"), {}, SaslCondition.NOT_AUTHORIZED),
    ],
)
def test_refused(mechanism: str, client: ByTheBook, bindings: dict[str, bytes], condition: SaslCondition) -> None:
    with pytest.raises(SaslError) as caught:
        login(mechanism, client, bindings)
    assert caught.value.condition == condition


@pytest.mark.parametrize(
    ("client_first", "condition"),
    [
        ("", SaslCondition.MALFORMED_REQUEST),
        ("n,,", SaslCondition.MALFORMED_REQUEST),
        ("n,,r=abc,n=romeo", SaslCondition.MALFORMED_REQUEST),
        ("n,,m=x,n=romeo,r=abc", SaslCondition.MALFORMED_REQUEST),
        ("n,,n=romeo", SaslCondition.MALFORMED_REQUEST),
        ("n,,n=romeo,r=", SaslCondition.MALFORMED_REQUEST),
        ("n,,n=romeo,r=a b", SaslCondition.MALFORMED_REQUEST),
        ("n,,n=romeo,r=abc,r=abc", SaslCondition.MALFORMED_REQUEST),
        ("n,,n=ro=meo,r=abc", SaslCondition.MALFORMED_REQUEST),  # = is =3D
        ("n,a=juliet@montague.lit,n=romeo,r=abc", SaslCondition.INVALID_AUTHZID),
        ("n,,n=,r=abc", SaslCondition.NOT_AUTHORIZED),
        ("n,,n=ro meo,r=abc", SaslCondition.NOT_AUTHORIZED),
        ("n,,n=romeo@montague.lit,r=abc", SaslCondition.NOT_AUTHORIZED),
    ],
)
def test_malformed_client_first(client_first: str, condition: SaslCondition) -> None:
    server = ScramLogin("SCRAM-SHA-256", {}, "server")
    with pytest.raises(SaslError) as caught:  # noqa: PT012  # whichever step notices it
        server.username(client_first)
        server.challenge(keys_of("SCRAM-SHA-256", "secret"))
    assert caught.value.condition == condition


def test_username_is_unescaped_and_prepared() -> None:
    assert ScramLogin("SCRAM-SHA-1", {}, "s").username("n,,n=Ro=2Cme=3Do=3D2C,r=abc") == "ro,me=o=2c"


messages = st.text(st.sampled_from("nypcrsvie=,+/0123456789 \x00é"), max_size=40)


@given(messages, messages, st.sampled_from(["SCRAM-SHA-1", PLUS]))
def test_any_message_raises_nothing_but_sasl_errors(first: str, final: str, mechanism: str) -> None:
    for client_first in (first, f"n,,n=romeo,r={first}", f"p={sasl.EXPORTER},,n=romeo,r=abc{first}"):
        server = ScramLogin(mechanism, BINDINGS, "server")
        with pytest.raises(SaslError):  # noqa: PT012  # the last step refuses, if no other did
            server.username(client_first)
            server.challenge(keys_of(server.hash_name, "secret"))
            server.finish(final)


@given(messages, messages)
def test_any_answer_raises_nothing_but_sasl_errors(server_first: str, server_final: str) -> None:
    for answer in (server_first, f"r=client{server_first},s=c2FsdHNhbHRzYWx0,i=4096"):
        client = ScramClient(["SCRAM-SHA-1"], "romeo", "secret", {}, "client")
        client.first()
        with pytest.raises(SaslError):  # noqa: PT012  # the last step refuses, if no other did
            client.answer(answer)
            client.verify(server_final)


# --- the client's choices


@pytest.mark.parametrize(
    ("offered", "bindings", "mechanism", "flag"),
    [
        (["SCRAM-SHA-1", "PLAIN", "SCRAM-SHA-256"], {}, "SCRAM-SHA-256", "n"),
        (["PLAIN", "SCRAM-SHA-1", "X-OTHER"], {}, "SCRAM-SHA-1", "n"),
        (["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], {}, "SCRAM-SHA-256", "n"),
        (["SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"], BINDINGS, "SCRAM-SHA-1-PLUS", "p=tls-exporter"),
        (["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], BINDINGS, "SCRAM-SHA-256-PLUS", "p=tls-exporter"),
        # RFC 5802 section 6: says that it could, so that the server notices a stripped offer
        (["SCRAM-SHA-256"], BINDINGS, "SCRAM-SHA-256", "y"),
    ],
)
def test_choice(offered: list[str], bindings: dict[str, bytes], mechanism: str, flag: str) -> None:
    client = ScramClient(offered, "ro,me=o", "secret", bindings, "abc")
    assert client.mechanism == mechanism
    assert client.first() == f"{flag},,n=ro=2Cme=3Do,r=abc"


def test_nothing_to_choose() -> None:
    for offered in ([], ["PLAIN"], ["SCRAM-SHA-256-PLUS"], ["X-PLUS"]):
        with pytest.raises(SaslError) as caught:
            ScramClient(offered, "romeo", "secret", {}, "abc")
        assert caught.value.condition == SaslCondition.INVALID_MECHANISM


def test_unusable_password() -> None:
    with pytest.raises(SaslError, match="name or password cannot be used"):
        ScramClient(["SCRAM-SHA-1"], "romeo", "\x07", {}, "abc")
    for password in ("", "\x07", "\u06271"):
        with pytest.raises(ValueError, match="password"):
            sasl.make_keys("SCRAM-SHA-1", password, b"salt of the tests", 4096)


def test_password_is_prepared() -> None:
    # RFC 5802 section 5.1: SASLprep
    assert keys_of("SCRAM-SHA-1", "\u2168") == keys_of("SCRAM-SHA-1", "IX")


def test_server_that_does_not_know_the_password() -> None:
    client = ScramClient(["SCRAM-SHA-1"], "romeo", "secret", {}, "client")
    client.first()
    client.answer("r=clientserver,s=c2FsdHNhbHRzYWx0,i=4096")
    with pytest.raises(SaslError) as caught:
        client.verify("v=" + sasl.encode("not the signature"))
    assert caught.value.condition == SaslCondition.NOT_AUTHORIZED


def test_replayed_nonce() -> None:
    client = ScramClient(["SCRAM-SHA-1"], "romeo", "secret", {}, "client")
    client.first()
    with pytest.raises(SaslError):
        client.answer("r=another,s=c2FsdHNhbHRzYWx0,i=4096")
