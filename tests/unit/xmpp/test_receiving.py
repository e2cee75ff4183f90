"""The server's side of a client's stream: what it tells, what waits, how it ends; its steps: test_negotiation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, SASL, SASL2, STREAM_ERRORS, STREAMS
from cluster.xmpp.stanza import Stanza, make, opening
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import (
    BindRequested,
    Closed,
    Event,
    KeysWanted,
    Misaddressed,
    PasswordGiven,
    RequestBeforeLogin,
    TlsWanted,
)
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.states import State
from cluster.xmpp.streams.stream_options import StreamOptions
from tests.helpers import BINDINGS, DOMAIN, HEADER, Host, Peer, ids, keys_of
from tests.unit.xmpp.spoken import (
    ABORT,
    BINDING,
    BOUND,
    END,
    LOGGED_IN,
    MESSAGE,
    OFF,
    OPEN,
    OPTIONAL,
    OTHER_HEADER,
    PLAIN,
    REGISTRATION,
    REQUIRED,
    SCRAM,
    STARTTLS,
    UNBOUND,
    UNDER_TLS,
    WRONG,
    WRONG_PROOF,
    auth,
    bind,
    response,
)

STAMPED = MESSAGE.replace("<message", '<message from="romeo@montague.lit/pda"')


# --- what an event tells


def test_events_of_a_login() -> None:
    peer = Peer(OPEN)
    peer.say(
        HEADER, REGISTRATION, auth("SCRAM-SHA-256", "n,,n=Romeo,r=abc"), ABORT, PLAIN, HEADER, bind("pda"), MESSAGE
    )
    register, keys, password, bound, message = peer.events
    assert isinstance(register, RequestBeforeLogin)
    assert register.stanza.is_payload("jabber:iq:register", "query")
    assert keys == KeysWanted("romeo", "SCRAM-SHA-256")
    assert password == PasswordGiven("romeo", "secret")
    assert bound == BindRequested("pda")
    assert isinstance(message, Stanza)
    assert (message.raw.decode(), message.to) == (STAMPED, Jid("juliet", "capulet.lit"))
    assert (peer.stream.localpart, peer.stream.jid) == ("romeo", Jid("romeo", DOMAIN, "pda"))


def test_many_stanzas_in_one_read() -> None:
    peer = Peer(OFF)
    peer.say(*BOUND)
    assert peer.say(MESSAGE * 3 + " <presence/>" + "<message to='@'/>" + MESSAGE).count("jid-malformed") == 1
    assert [event.kind for event in peer.events if isinstance(event, Stanza)] == ["message"] * 3 + [
        "presence",
        "message",
    ]


def test_stanzas_ahead_of_a_fault_still_count() -> None:
    peer = Peer(OFF)
    peer.say(*BOUND)
    output = peer.say(MESSAGE + MESSAGE + "<message from='a@b'/>" + MESSAGE)
    assert [type(event) for event in peer.events[-3:]] == [Stanza, Stanza, Closed]
    assert output.count(END) == 1
    peer = Peer(OFF)
    peer.say(*BOUND)
    peer.say(MESSAGE + "<a></b>")
    assert [type(event) for event in peer.events[-2:]] == [Stanza, Closed]


def test_language_of_the_header() -> None:
    peer = Peer(OFF)
    peer.say(*LOGGED_IN, HEADER.replace("to=", "xml:lang='it' to="), bind("pda"), MESSAGE)
    message = peer.events[-1]
    assert isinstance(message, Stanza)
    assert message.raw.startswith(opening("message", Jid("romeo", DOMAIN, "pda")) + b' xml:lang="it"')


def test_send() -> None:
    peer = Peer(OFF)
    peer.say(*BOUND)
    peer.stream.send(make("message", id="1"))
    peer.stream.send(make("message", id="2"))
    assert peer.stream.data_to_send() == b'<message id="1"/><message id="2"/>'
    assert peer.stream.data_to_send() == b""


def test_stream_ids_differ() -> None:
    # section 4.7.3
    peer = Peer(OFF)
    output = peer.say(*BINDING)
    assert "id='id1'" in output
    assert "id='id2'" in output


# --- questions whose answers take a while


def asked(*sent: str, options: StreamOptions = OFF) -> tuple[ReceivingStream, list[Event]]:
    """A stream whose last question is not answered yet."""
    peer = Peer(options)
    peer.say(*sent[:-1])
    peer.stream.receive_data(sent[-1].encode())
    events = list(peer.stream.events())
    peer.stream.data_to_send()
    return peer.stream, events


@pytest.mark.parametrize(
    ("sent", "question", "options"),
    [
        ((HEADER, STARTTLS), TlsWanted, REQUIRED),
        ((HEADER, SCRAM + ABORT), KeysWanted, OFF),
        ((HEADER, PLAIN + END), PasswordGiven, OFF),
        ((HEADER, REGISTRATION + END), RequestBeforeLogin, OPEN),
        ((*BINDING, bind() + MESSAGE), BindRequested, OFF),
    ],
)
def test_nothing_goes_on_until_the_answer(sent: tuple[str, ...], question: type[Event], options: StreamOptions) -> None:
    stream, events = asked(*sent, options=options)
    assert [type(event) for event in events] == [question]
    stream.receive_data(b"<a></b>")
    assert list(stream.events()) == []
    assert stream.data_to_send() == b""


def test_what_came_while_the_answer_took_its_time() -> None:
    stream, _ = asked(*BINDING, bind() + MESSAGE)
    stream.receive_data(MESSAGE.encode() + END.encode())
    stream.bound(Jid("romeo", DOMAIN, "pda"))
    assert [type(event) for event in stream.events()] == [Stanza, Stanza, Closed]
    stream, _ = asked(HEADER, SCRAM + ABORT)
    stream.keys_found(keys_of("SCRAM-SHA-1", "secret"))
    assert list(stream.events()) == []
    output = stream.data_to_send()
    assert 0 <= output.index(b"<challenge") < output.index(b"<aborted/>")


def test_data_sent_in_clear_does_not_count_under_tls() -> None:
    # RFC 6120 section 5.4.3.3
    stream, _ = asked(HEADER, STARTTLS, options=REQUIRED)
    stream.receive_data(b"<presence/>")
    stream.tls_started(BINDINGS)
    assert list(stream.events()) == []
    assert (stream.state, stream.secure) == (State.OPENING, True)


@pytest.mark.parametrize(
    ("sent", "options"),
    [
        ((HEADER, STARTTLS), REQUIRED),
        ((HEADER, SCRAM), OFF),
        ((HEADER, PLAIN), OFF),
        ((HEADER, REGISTRATION), OPEN),
        ((*BINDING, bind()), OFF),
    ],
)
def test_an_answer_after_the_end_means_nothing(sent: tuple[str, ...], options: StreamOptions) -> None:
    stream, (question,) = asked(*sent, options=options)
    assert stream.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT)).reason == "connection-timeout"
    output = stream.data_to_send().decode()
    assert f'<stream:error><connection-timeout xmlns="{STREAM_ERRORS}"/></stream:error>' in output
    assert output.endswith(END)
    Host().answer(stream, question)
    stream.send(make("message"))
    assert list(stream.events()) == []
    assert stream.data_to_send() == b""
    assert (stream.state, stream.jid, stream.secure) == (State.CLOSED, None, False)


def test_ended_once() -> None:
    peer = Peer(OFF)
    peer.say(*BOUND)
    assert peer.stream.close("shut down") == Closed("shut down")
    peer.stream.close()
    peer.stream.fail(StreamError(StreamCondition.RESET))
    assert peer.stream.data_to_send() == END.encode()


def test_ended_before_the_header() -> None:
    peer = Peer(OFF)
    peer.stream.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, "nothing came"))
    output = peer.stream.data_to_send().decode()
    assert output.startswith("<?xml version='1.0'?><stream:stream from='montague.lit' id='id1'")
    assert f'<text xmlns="{STREAM_ERRORS}" xml:lang="en">nothing came</text></stream:error>{END}' in output


# --- whatever comes

AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
INLINE_BIND = "<bind xmlns='urn:xmpp:bind:0'><tag>taken</tag></bind><resume xmlns='urn:xmpp:sm:3' previd='x' h='1'/>"
FAST_USE = "<fast xmlns='urn:xmpp:fast:0' count='1'/>"


def inline(mechanism: str, initial: str, more: str = "") -> str:
    """XEP-0388 section 2.3."""
    given = f"<initial-response>{sasl.encode(initial)}</initial-response><user-agent id='{AGENT}'/>{more}"
    return f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{given}</authenticate>"


TOKENS = [
    *(HEADER, OTHER_HEADER, STARTTLS, SCRAM, PLAIN, WRONG, ABORT, response("x"), WRONG_PROOF),
    *(bind(), bind("pda"), bind("taken"), REGISTRATION, MESSAGE, "<presence/>", "<presence to='@'/>"),
    *(" \n", END, "hi", "<a></b>", "<!-- -->", "<iq type='set' id='1'/>", "<iq><a/><b/></iq>", "<message from='a@b'/>"),
    *("<iq to='@' type='get' from='romeo@montague.lit'/>", f"<auth xmlns='{SASL}' mechanism='PLAIN'>é</auth>"),
    *(UNBOUND, auth("SCRAM-SHA-1", "n,,n=a,r=\x00"), auth("PLAIN", "\0a\0")),
    *(inline("PLAIN", "\0romeo\0secret", each) for each in ("", INLINE_BIND, "<bind xmlns='urn:xmpp:bind:0'/>")),
    *(inline("SCRAM-SHA-256", "n,,n=romeo,r=abc"), inline("HT-SHA-256-NONE", "romeo\0x", FAST_USE)),
    *(f"<response xmlns='{SASL2}'/>", f"<abort xmlns='{SASL2}'/>", "<authenticate xmlns='urn:xmpp:sasl:2'/>"),
    *(f"<stream:error xmlns:stream='{STREAMS}'/>", f"<message:message xmlns:message='{CLIENT}'/>", "<stream:stream>"),
]
actions = st.one_of(
    st.sampled_from(TOKENS),
    st.sampled_from(["answer", "answer", "answer", "close", "fail"]),
    st.lists(st.sampled_from(TOKENS), min_size=2, max_size=4).map("".join),
)
beginnings = st.sampled_from([(), (HEADER,), LOGGED_IN, BINDING, BOUND, UNDER_TLS])


@given(st.sampled_from([OFF, OPTIONAL, REQUIRED, OPEN]), beginnings, st.lists(actions, max_size=12))
def test_whatever_comes_the_stream_ends_once(options: StreamOptions, before: tuple[str, ...], said: list[str]) -> None:
    """No input, answer or end at an odd moment raises; the stream is in one of its states, and ends once."""
    host, stream = Host(taken={"taken"}), ReceivingStream(options, ids())
    questions: list[Event] = []
    closed, output = 0, b""
    for action in [part for sent in before for part in (sent, "answer")] + said:
        if action == "answer" and questions:
            if (further := host.answer(stream, questions.pop())) is not None:
                closed += isinstance(further, Closed)
                questions += [] if isinstance(further, Closed) else [further]
        elif action == "close":
            stream.close()
        elif action == "fail":
            stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
        elif action != "answer":
            stream.receive_data(action.encode())
        for event in stream.events():
            closed += isinstance(event, Closed)
            if isinstance(event, Misaddressed):  # the stream does not wait for what answers it
                host.answer(stream, event)
            elif not isinstance(event, Stanza | Closed):
                assert not questions
                questions.append(event)
        output += stream.data_to_send()
        assert output.count(END.encode()) == (stream.state is State.CLOSED)
        assert (stream.jid is not None) or stream.state is not State.BOUND
        assert bool(stream.localpart) or stream.state not in (State.AUTHENTICATED, State.BINDING, State.BOUND)
    assert closed <= 1
