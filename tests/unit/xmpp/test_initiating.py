"""The client's side of a stream, against the server's side and against servers that misbehave."""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import BIND, CLIENT, SASL, SM, STANZA_ERRORS, STREAM_ERRORS, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamParser
from cluster.xmpp.stanza import make
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import ResumeRequested, SessionWanted, TlsWanted
from cluster.xmpp.streams.initiating import InitiatingStream
from cluster.xmpp.streams.login import Bound, Login, Resumption, StreamFailed
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.sasl2 import Opened
from cluster.xmpp.streams.sm import StreamManagement
from cluster.xmpp.streams.states import State
from cluster.xmpp.streams.stream_options import StreamOptions
from tests.helpers import BINDINGS, DOMAIN, Host, ids, pump
from tests.unit.xmpp.spoken import OFF, OPEN, OPTIONAL, REQUIRED

ROMEO = Jid("romeo", DOMAIN, "pda")
LOGIN = Login(ROMEO, "secret")


def pair(options: StreamOptions, login: Login = LOGIN) -> tuple[InitiatingStream, ReceivingStream]:
    return InitiatingStream(login, ids("client")), ReceivingStream(options, ids("server"))


# --- against our own server


@pytest.mark.parametrize(
    ("options", "host"),
    [(OFF, Host()), (OPTIONAL, Host()), (REQUIRED, Host()), (REQUIRED, Host(bindings={})), (OPEN, Host())],
    ids=["off", "optional", "required", "without channel binding", "open"],
)
def test_login(options: StreamOptions, host: Host) -> None:
    client, server = pair(options)
    told = pump(client, server, host)
    assert told == [TlsWanted()] * server.secure + [Bound(ROMEO)]
    assert server.secure is (options.tls != "off")
    assert (client.jid, server.jid, server.state) == (ROMEO, ROMEO, State.BOUND)


MECHANISMS = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]


@pytest.mark.parametrize("bindings", [{sasl.END_POINT: BINDINGS[sasl.END_POINT]}, BINDINGS], ids=["one", "all"])
@pytest.mark.parametrize("offered", MECHANISMS)
def test_login_by_each_mechanism(offered: str, bindings: dict[str, bytes]) -> None:
    """As if the server offered but one: the others are taken from its features."""
    seen = []

    def one_only(data: bytes) -> list[bytes]:
        for mechanism in MECHANISMS:
            if mechanism != offered:
                data = data.replace(f"<mechanism>{mechanism}</mechanism>".encode(), b"")
        seen.append(data)
        return [data]

    client, server = pair(REQUIRED)
    # one that knows no binding cannot tell that -PLUS was taken away
    pump(client, server, Host(), bindings if offered.endswith("-PLUS") else {}, one_only)
    assert f"mechanism='{offered}'".encode() in b"".join(seen)
    assert client.jid == server.jid == ROMEO


def test_both_sides_are_freed_without_a_collection() -> None:
    """expat refers to its callbacks, and thereby to the parser: some 10 KiB for each start of a stream."""
    gc.collect()
    gc.disable()
    try:
        before = parsers()
        client, server = pair(REQUIRED)
        pump(client, server, Host())
        assert parsers() == before + 2
        client.end_input()
        server.end_input()
        del client, server
        assert parsers() == before
    finally:
        gc.enable()


def parsers() -> int:
    return sum(type(each) is StreamParser for each in gc.get_objects())


def test_stripped_offer_is_noticed() -> None:
    """A man in the middle who takes -PLUS from the features gains nothing (RFC 5802 section 6)."""
    client, server = pair(REQUIRED)
    with pytest.raises(StreamFailed, match="malformed-request"):
        pump(client, server, Host(), middle=lambda data: [data.replace(b"-PLUS</mechanism>", b"-OTHER</mechanism>")])
    assert server.localpart == ""


def test_another_tls_session_is_noticed() -> None:
    client, server = pair(REQUIRED)
    with pytest.raises(StreamFailed, match="not-authorized"):
        pump(client, server, Host(), {sasl.EXPORTER: b"that of the man in the middle"})


def test_the_server_chooses_the_resource() -> None:
    client, server = pair(OFF, Login(ROMEO.bare, "secret"))
    assert pump(client, server, Host()) == [Bound(ROMEO.bare.with_resource("chosen"))]


def test_registration() -> None:
    client, server = pair(OPEN, Login(ROMEO, "secret", register=True))
    assert pump(client, server, Host())[-1] == Bound(ROMEO)


@pytest.mark.parametrize(
    ("options", "login", "host", "condition"),
    [
        (OFF, Login(ROMEO, "wrong"), Host(), "not-authorized"),
        (REQUIRED, Login(ROMEO, "wrong"), Host(), "not-authorized"),
        (OFF, Login(Jid("eve", DOMAIN), "secret"), Host(), "not-authorized"),
        (OFF, Login(ROMEO, "\x07"), Host(), "malformed-request"),
        (OFF, LOGIN, Host(taken={"pda"}), "conflict"),
        (OFF, Login(Jid("romeo", "verona.lit"), "secret"), Host(), "host-unknown"),
        (OFF, Login(ROMEO, "secret", register=True), Host(), "not-authorized"),
    ],
    ids=["password", "password under TLS", "account", "unusable password", "resource", "host", "registration"],
)
def test_refused(options: StreamOptions, login: Login, host: Host, condition: str) -> None:
    client, server = pair(options, login)
    with pytest.raises(StreamFailed) as caught:
        pump(client, server, host)
    assert caught.value.condition == condition
    assert client.jid is None


def test_stanzas_flow() -> None:
    client, server = pair(OFF)
    pump(client, server, Host())
    server.send(make("message", to=ROMEO, id="1"))
    server.send(make("message", to=ROMEO, id="2"))
    told = pump(client, server, Host())
    assert [child.attributes["id"] for child in told if isinstance(child, Slice)] == ["1", "2"]
    server.close()
    assert pump(client, server, Host()) == [StreamEnd()]
    client.close()
    assert client.data_to_send() == b"</stream:stream>"


def test_login_one_byte_at_a_time() -> None:
    client, server = pair(REQUIRED)
    pump(client, server, Host(), middle=lambda data: [data[i : i + 1] for i in range(len(data))])
    assert server.jid == client.jid == ROMEO


# --- against servers that misbehave

OPENED = f"<stream:stream from='{DOMAIN}' id='1' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
WITH_TLS = f"<stream:features><starttls xmlns='{TLS}'/></stream:features>"
PROCEED = f"<proceed xmlns='{TLS}'/>"
WITH_SASL = (
    f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>"
)
RESET = f"<stream:error><reset xmlns='{STREAM_ERRORS}'/><text xmlns='{STREAM_ERRORS}'>why</text></stream:error>"
SUCCESS = f"<success xmlns='{SASL}'/>"


def challenge(text: str) -> str:
    return f"<challenge xmlns='{SASL}'>{sasl.encode(text)}</challenge>"


def meet(said: Iterable[str], login: Login = LOGIN) -> InitiatingStream:
    """A client that was told all of it."""
    client = InitiatingStream(login, ids("client"))
    for data in said:
        client.receive_data(data.encode())
        for event in client.events():
            if isinstance(event, TlsWanted):
                client.tls_started({})
    return client


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ([OPENED, "</stream:stream>"], "stream: closed"),
        ([OPENED, "<message/>"], "stream: no features"),
        ([OPENED, "<stream:features/>"], r"login: invalid-mechanism \(none of .* is SCRAM\)"),
        ([OPENED, WITH_TLS, f"<failure xmlns='{TLS}'/>"], "STARTTLS: unknown"),
        ([OPENED, WITH_SASL, SUCCESS], "login: unknown"),
        ([OPENED, WITH_SASL, challenge("")], "login: malformed-request"),
        ([OPENED, WITH_SASL, challenge("r=another,s=c2FsdHNhbHRzYWx0,i=4096")], "login: malformed-request"),
        ([OPENED, WITH_SASL, challenge("x").replace(">", ">é", 1)], "login: incorrect-encoding"),
        # says that the password was right, but cannot prove to know it (RFC 5802 section 3)
        ([OPENED, WITH_SASL, challenge("r=client1x,s=c2FsdHNhbHRzYWx0,i=4096"), SUCCESS], "login: not-authorized"),
        ([OPENED, RESET], r"stream: reset \(why\)"),
    ],
)
def test_misbehaviour(said: list[str], failure: str) -> None:
    with pytest.raises(StreamFailed, match=f"^{failure}"):
        meet(said)


def test_what_was_said_in_clear_does_not_count_under_tls() -> None:
    # RFC 6120 section 5.4.3.3
    client = meet([OPENED, WITH_TLS, PROCEED + WITH_SASL])
    assert b"<auth" not in client.data_to_send()
    client.receive_data(f"{OPENED}{WITH_SASL}".encode())
    assert list(client.events()) == []
    assert b"<auth" in client.data_to_send()


def test_bound_to_no_address() -> None:
    with pytest.raises(StreamFailed, match="resource binding: jid-malformed"):
        pump(*pair(OFF), Host(), middle=lambda data: [data.replace(b"<jid>romeo@", b"<jid>@")])


TOKENS = [
    *(OPENED, WITH_TLS, WITH_SASL, PROCEED, SUCCESS, challenge("x"), challenge("r=client1x,s=c2FsdHNhbHRzYWx0,i=4096")),
    *(
        "<stream:features/>",
        "<stream:error/>",
        "</stream:stream>",
        "<message/>",
        "<iq type='error'/>",
        " ",
        "x",
        "<a></b>",
    ),
    *(
        f"<iq type='result'><bind xmlns='{BIND}'><jid>@</jid></bind></iq>",
        f"<failure xmlns='{SASL}'/>",
        "<iq><error/></iq>",
    ),
]
beginnings = st.sampled_from(
    [[], [OPENED], [OPENED, WITH_SASL], [OPENED, WITH_TLS], [OPENED, WITH_TLS, PROCEED, OPENED]]
)


@given(beginnings, st.lists(st.sampled_from(TOKENS), max_size=8), st.booleans())
def test_whatever_comes_only_the_two_errors_are_raised(before: list[str], said: list[str], register: bool) -> None:
    with contextlib.suppress(StreamFailed, StreamError):
        assert meet(before + said, Login(ROMEO, "secret", register)).jid is None
    with contextlib.suppress(StreamFailed, StreamError):
        meet(["".join(before + said)], Login(ROMEO, "secret", register))


# --- resumption (XEP-0198 section 5)

RESUMPTION = Resumption(ROMEO, 'it\'s "1" & only', 7)


def resume() -> InitiatingStream:
    return InitiatingStream(LOGIN, ids("client"), RESUMPTION)


def login_to_the_resumption(client: InitiatingStream) -> str:
    """A server that takes the login: what the client says then."""
    server = ReceivingStream(OFF, ids("server"))
    host = Host()
    while not server.jid and (said := client.data_to_send()):
        if b"<resume" in said:
            return said.decode()
        server.receive_data(said)
        for event in server.events():
            host.answer(server, event)
        client.receive_data(server.data_to_send())
        assert list(client.events()) == []
    raise AssertionError("the client did not ask to resume")


@pytest.mark.parametrize("h", ["0", "5", "4294967295"])
def test_a_stream_is_resumed(h: str) -> None:
    client = resume()
    said = login_to_the_resumption(client)
    assert said == f"<resume xmlns='{SM}' previd={quoteattr(RESUMPTION.previd)} h='7'/>"
    client.receive_data(f"<resumed xmlns='{SM}' previd='1' h='{h}'/><message id='again'/>".encode())
    bound, again = client.events()
    assert bound == client.bound == Bound(ROMEO, True, int(h))
    assert isinstance(again, Slice)
    assert client.data_to_send() == b""


@pytest.mark.parametrize(("attributes", "h"), [("", None), (" h='5'", 5)])
def test_a_stream_that_is_forgotten_ends_in_a_new_resource(attributes: str, h: int | None) -> None:
    client = resume()
    login_to_the_resumption(client)
    client.receive_data(f"<failed xmlns='{SM}'{attributes}><item-not-found xmlns='{STANZA_ERRORS}'/></failed>".encode())
    assert list(client.events()) == []
    assert client.data_to_send().startswith(b'<iq id="bind"')
    client.receive_data(f"<iq type='result' id='bind'><bind xmlns='{BIND}'><jid>{ROMEO}</jid></bind></iq>".encode())
    assert list(client.events()) == [Bound(ROMEO, False, h)]


@pytest.mark.parametrize(
    "answer", ["<resumed xmlns='urn:xmpp:sm:3'/>", "<resumed xmlns='urn:xmpp:sm:3' h='-1'/>", "<a/>"]
)
def test_a_resumption_that_makes_no_sense(answer: str) -> None:
    client = resume()
    login_to_the_resumption(client)
    client.receive_data(answer.encode())
    with pytest.raises(StreamFailed, match="resumption"):
        list(client.events())


# --- the extensible profile (XEP-0388): under TLS with our own server


class Opens(Host):
    """Answers what comes with a login as a test says."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self.opened = opened

    def _open(self, stream: ReceivingStream, wanted: SessionWanted) -> None:
        assert wanted.resume == ResumeRequested(RESUMPTION.previd, RESUMPTION.h)
        stream.opened(self.opened)


MANAGED = replace(REQUIRED, features_after_login=(Element(f"{{{SM}}}sm"),))


def log_in_inline(opened: Opened, middle: Callable[[bytes], bytes] = lambda data: data) -> tuple[list[object], bytes]:
    """What a client that wants to resume is told, and what both sides said."""
    seen = []

    def note(data: bytes) -> list[bytes]:
        seen.append(data)
        return [middle(data)]

    server = ReceivingStream(MANAGED, ids("server"))
    return pump(resume(), server, Opens(opened), middle=note), b"".join(seen)


def test_a_stream_is_resumed_together_with_the_login() -> None:
    management = StreamManagement(RESUMPTION.previd, handled=3)
    told, said = log_in_inline(Opened(ROMEO, management))
    assert told[-1] == Bound(ROMEO, True, 3)
    assert said.count(b"<stream:stream") == 4  # both headers, and again under TLS
    assert said.count(b"<resume ") == 1
    assert said.endswith(b"</success>")  # no features (XEP-0198 section 6.2)


@pytest.mark.parametrize("h", [None, 5])
def test_where_it_is_forgotten_a_resource_is_bound_after_the_login(h: int | None) -> None:
    told, said = log_in_inline(Opened(refusal=Condition.ITEM_NOT_FOUND, h=h))
    assert told[-1] == Bound(ROMEO, False, h)
    assert said.count(b"<stream:stream") == 4
    assert said.count(b"<resume ") == 1


@pytest.mark.parametrize(("found", "put"), [(b" h='3'", b" h='x'"), (b"<resumed ", b"<other "), (b" h='3'", b"")])
def test_a_resumption_inline_that_makes_no_sense(found: bytes, put: bytes) -> None:
    management = StreamManagement(RESUMPTION.previd, handled=3)
    with pytest.raises(StreamFailed, match="resumption"):
        log_in_inline(Opened(ROMEO, management), lambda data: data.replace(found, put))


def test_a_server_that_resumes_only_after_the_login_is_asked_then() -> None:
    said = b""
    inline = f'<sm xmlns="{SM}"/><fast'.encode()

    def without_it(data: bytes) -> list[bytes]:
        nonlocal said
        said += data
        return [data.replace(inline, b"<fast")]

    assert pump(resume(), ReceivingStream(MANAGED, ids("server")), Host(), middle=without_it) == [TlsWanted()]
    assert said.endswith(f"previd={quoteattr(RESUMPTION.previd)} h='7'/>".encode())
    assert said.index(b"<resume ") > said.index(b"</success>")


@pytest.mark.parametrize("tls", [True, False])
def test_the_profile_of_rfc_6120(tls: bool) -> None:
    """A server without the other one: its offer is taken from the features."""
    seen = b""

    def classic(data: bytes) -> list[bytes]:
        nonlocal seen
        seen += data
        return [re.sub(rb"<authentication .*</authentication>", b"", data)]

    client, server = pair(REQUIRED if tls else OFF)
    told = pump(client, server, Host(), middle=classic)
    assert told[-1] == Bound(ROMEO)
    assert b"<auth " in seen
    assert b"<authenticate " not in seen
