"""Each step of a stream's negotiation as a row, and what is refused (RFC 6120): ReceivingStream by its table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.xmpp.errors import StreamCondition
from cluster.xmpp.namespaces import BIND, SASL, STREAM_ERRORS, TLS
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from cluster.xmpp.streams.sasl import SaslCondition
from cluster.xmpp.streams.states import TRANSITIONS, Input, State
from cluster.xmpp.streams.stream_options import StreamOptions
from tests.helpers import DOMAIN, HEADER, Host, Peer
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
    REGISTER,
    REGISTRATION,
    REQUIRED,
    SCRAM,
    STARTTLS,
    STRIPPED,
    UNBOUND,
    UNDER_TLS,
    WRONG,
    WRONG_PROOF,
    auth,
    bind,
    response,
)

Said = tuple[str, ...]
OF_ROMEO = HEADER.replace("<stream:stream", f"<stream:stream from='Romeo@{DOMAIN}/pda'")
OF_EVE = HEADER.replace("<stream:stream", f"<stream:stream from='eve@{DOMAIN}'")
STRICT = replace(REQUIRED, strict=True)
RESULT = f'<iq id="b1" type="result"><bind xmlns="{BIND}"><jid>romeo@montague.lit/{{}}</jid></bind></iq>'

# what was said before, what is said now, what is in the answer (in this order), how far the stream is then
STEPS: dict[str, tuple[Said, str, Said, State, StreamOptions]] = {
    # section 4.3.2
    "header": ((), HEADER, (" from='montague.lit' id='id1'", "<stream:features>"), State.NEGOTIATING, OFF),
    "header, TLS required": ((), HEADER, (f'<starttls xmlns="{TLS}"><required/>',), State.NEGOTIATING, REQUIRED),
    "header after the login": (LOGGED_IN, HEADER, ("id='id2'", f'<bind xmlns="{BIND}"/>'), State.BINDING, OFF),
    # section 4.7.2: old clients do not say to whom
    "header without to": ((), HEADER.replace(f"to='{DOMAIN}'", ""), ("<stream:features>",), State.NEGOTIATING, OFF),
    "header of XMPP 1.1": ((), HEADER.replace("1.0' x", "1.1' x"), ("version='1.0'",), State.NEGOTIATING, OFF),
    "white space": ((HEADER,), " \n ", (), State.NEGOTIATING, OFF),
    "end": ((HEADER,), END, (END,), State.CLOSED, OFF),
    "end in a login": ((HEADER, SCRAM), END, (END,), State.CLOSED, OFF),
    "end when bound": (BOUND, END, (END,), State.CLOSED, OFF),
    # section 5.4.2
    "TLS": ((HEADER,), STARTTLS, (f"<proceed xmlns='{TLS}'/>",), State.OPENING, REQUIRED),
    "TLS where it is optional": ((HEADER,), STARTTLS, (f"<proceed xmlns='{TLS}'/>",), State.OPENING, OPTIONAL),
    "header under TLS": ((HEADER, STARTTLS), HEADER, ("SCRAM-SHA-256-PLUS",), State.NEGOTIATING, REQUIRED),
    # section 6.4
    "PLAIN": ((HEADER,), PLAIN, (f'<success xmlns="{SASL}"></success>',), State.AUTHENTICATED, OFF),
    "PLAIN under TLS": (UNDER_TLS, PLAIN, ("<success",), State.AUTHENTICATED, REQUIRED),
    "PLAIN of who the header says": ((*UNDER_TLS[:-1], OF_ROMEO), PLAIN, ("<success",), State.AUTHENTICATED, REQUIRED),
    "PLAIN of who a header in clear did not say": ((OF_EVE,), PLAIN, ("<success",), State.AUTHENTICATED, OFF),
    "PLAIN of another": ((*UNDER_TLS[:-1], OF_EVE), PLAIN, ("<success",), State.AUTHENTICATED, REQUIRED),
    "SCRAM": ((HEADER,), SCRAM, (f'<challenge xmlns="{SASL}">cj1hYmNpZDIscz1',), State.AUTHENTICATING, OFF),
    "another try": ((HEADER, SCRAM, ABORT, WRONG), PLAIN, ("<success",), State.AUTHENTICATED, OFF),
    # section 7
    "bind": (BINDING, bind("pda"), (RESULT.format("pda"),), State.BOUND, OFF),
    "bind, the server chooses": (BINDING, bind(), (RESULT.format("chosen"),), State.BOUND, OFF),
    "bind, empty resource": (BINDING, bind("<x xmlns='u'/>"), (RESULT.format("chosen"),), State.BOUND, OFF),
    "bind refused": (BINDING, bind("taken"), ('<iq id="b1" type="error">', "<conflict"), State.BINDING, OFF),
    "bind again": ((*BINDING, bind("taken")), bind("pda"), (RESULT.format("pda"),), State.BOUND, OFF),
    # XEP-0077
    "registration": ((HEADER,), REGISTRATION, ('<iq id="r1" type="result"/>',), State.NEGOTIATING, OPEN),
    "login after it": ((HEADER, REGISTRATION), PLAIN, ("<success",), State.AUTHENTICATED, OPEN),
    # section 8.1.1
    "malformed to": (
        BOUND,
        "<message to='@' id='1'><body>hi</body></message>",
        ('<message to="romeo@montague.lit/pda" id="1" type="error"><body>hi</body>', "<jid-malformed"),
        State.BOUND,
        OFF,
    ),
    "malformed to of an error": (BOUND, "<message to='@' type='error'/>", (), State.BOUND, OFF),
    "malformed to of a result": (BOUND, "<iq to='@' type='result' id='1'/>", (), State.BOUND, OFF),
}


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps(step: tuple[Said, str, Said, State, StreamOptions], bytewise: bool) -> None:
    before, sent, answers, state, options = step
    peer = Peer(options, Host(taken={"taken"}))
    peer.say(*before)
    output = peer.say(*(sent if bytewise else [sent]))
    position = 0
    for answer in answers:
        assert answer in output[position:]
        position = output.index(answer, position) + len(answer)
    assert bool(output) == bool(answers)
    assert peer.stream.state is state


REFUSED_LOGINS = {
    "wrong password": ((HEADER,), WRONG, SaslCondition.NOT_AUTHORIZED, OFF),
    "unknown account": ((HEADER,), auth("PLAIN", "\0eve\0secret"), SaslCondition.NOT_AUTHORIZED, OFF),
    "another's authzid": ((HEADER,), auth("PLAIN", "a@b\0romeo\0secret"), SaslCondition.INVALID_AUTHZID, OFF),
    "wrong proof": ((HEADER, SCRAM), WRONG_PROOF, SaslCondition.NOT_AUTHORIZED, OFF),
    "abort": ((HEADER, SCRAM), ABORT, SaslCondition.ABORTED, OFF),
    "no base64": ((HEADER,), PLAIN.replace(">", ">é", 1), SaslCondition.INCORRECT_ENCODING, OFF),
    "no base64 either": ((HEADER, SCRAM), WRONG_PROOF.replace(">", ">!", 1), SaslCondition.INCORRECT_ENCODING, OFF),
    "no mechanism": ((HEADER,), f"<auth xmlns='{SASL}'/>", SaslCondition.INVALID_MECHANISM, OFF),
    "unknown mechanism": ((HEADER,), auth("CRAM-MD5", ""), SaslCondition.INVALID_MECHANISM, OFF),
    "PLAIN in clear": ((HEADER,), PLAIN, SaslCondition.ENCRYPTION_REQUIRED, OPTIONAL),
    "anonymous": ((HEADER,), auth("ANONYMOUS", ""), SaslCondition.INVALID_MECHANISM, OFF),
    "-PLUS in clear": ((HEADER,), UNBOUND, SaslCondition.INVALID_MECHANISM, OPTIONAL),
    "-PLUS, nothing bound": (UNDER_TLS, UNBOUND, SaslCondition.MALFORMED_REQUEST, REQUIRED),
    "stripped offer": (UNDER_TLS, STRIPPED, SaslCondition.MALFORMED_REQUEST, REQUIRED),
    "nothing said": ((HEADER,), auth("SCRAM-SHA-1", ""), SaslCondition.MALFORMED_REQUEST, OFF),
    "markup": ((HEADER,), f"<auth xmlns='{SASL}' mechanism='PLAIN'><b/></auth>", SaslCondition.MALFORMED_REQUEST, OFF),
}


@pytest.mark.parametrize(("before", "sent", "condition", "options"), REFUSED_LOGINS.values(), ids=REFUSED_LOGINS)
def test_refused_logins(before: Said, sent: str, condition: SaslCondition, options: StreamOptions) -> None:
    # section 6.4.5: the peer may try again
    peer = Peer(options)
    peer.say(*before)
    assert f'<failure xmlns="{SASL}"><{condition}/>' in peer.say(sent)
    assert (peer.stream.state, peer.stream.localpart) == (State.NEGOTIATING, "")
    peer.say(SCRAM)
    assert (peer.stream.state, peer.stream.localpart) == (State.AUTHENTICATING, "")


REFUSALS = {
    # section 4.9.3
    "unknown host": ((), HEADER.replace(DOMAIN, "verona.lit"), StreamCondition.HOST_UNKNOWN, OFF),
    "malformed host": ((), HEADER.replace(DOMAIN, "@"), StreamCondition.HOST_UNKNOWN, OFF),
    "empty host": ((), HEADER.replace(DOMAIN, ""), StreamCondition.HOST_UNKNOWN, OFF),
    "other host at the restart": (LOGGED_IN, HEADER.replace(DOMAIN, "verona.lit"), StreamCondition.HOST_UNKNOWN, OFF),
    "server's namespace": ((), OTHER_HEADER, StreamCondition.INVALID_NAMESPACE, OFF),
    "no stream's namespace": ((), HEADER.replace("etherx", "x"), StreamCondition.INVALID_NAMESPACE, OFF),
    "no version": ((), HEADER.replace("version='1.0' x", "x"), StreamCondition.UNSUPPORTED_VERSION, OFF),
    "version 0.9": ((), HEADER.replace("1.0' x", "0.9' x"), StreamCondition.UNSUPPORTED_VERSION, OFF),
    "version of no number": ((), HEADER.replace("1.0' x", "one' x"), StreamCondition.UNSUPPORTED_VERSION, OFF),
    "another protocol": ((), "GET / HTTP/1.1\r\n", StreamCondition.NOT_WELL_FORMED, OFF),
    "not well-formed": ((HEADER,), "<a></b>", StreamCondition.NOT_WELL_FORMED, OFF),
    "comment": (BOUND, "<!-- hi -->", StreamCondition.RESTRICTED_XML, OFF),
    "text": (BOUND, "hi ", StreamCondition.BAD_FORMAT, OFF),
    "too big": (BOUND, f"<message>{'x' * 262_144}</message>", StreamCondition.POLICY_VIOLATION, OFF),
    # no stanza before the login (section 4.9.3.12)
    "message before the login": ((HEADER,), MESSAGE, StreamCondition.NOT_AUTHORIZED, OFF),
    "iq before the login": ((HEADER,), REGISTRATION, StreamCondition.NOT_AUTHORIZED, OFF),
    "message where registration is open": ((HEADER,), MESSAGE, StreamCondition.NOT_AUTHORIZED, OPEN),
    "registration in a login": ((HEADER, SCRAM), REGISTRATION, StreamCondition.NOT_AUTHORIZED, OPEN),
    "message before the resource": (BINDING, MESSAGE, StreamCondition.NOT_AUTHORIZED, OFF),
    "iq before the resource": (BINDING, REGISTRATION, StreamCondition.NOT_AUTHORIZED, OFF),
    "bind that asks": (BINDING, bind().replace("set", "get"), StreamCondition.NOT_AUTHORIZED, OFF),
    "bind and more": (BINDING, bind().replace("</iq>", "<x/></iq>"), StreamCondition.NOT_AUTHORIZED, OFF),
    "unknown element": ((HEADER,), "<x xmlns='urn:x'/>", StreamCondition.NOT_AUTHORIZED, OFF),
    # section 5
    "login before TLS": ((HEADER,), SCRAM, StreamCondition.POLICY_VIOLATION, REQUIRED),
    "data after <starttls/>": ((HEADER,), STARTTLS + HEADER, StreamCondition.POLICY_VIOLATION, REQUIRED),
    "a byte after <starttls/>": ((HEADER,), STARTTLS + "<", StreamCondition.POLICY_VIOLATION, REQUIRED),
    # section 6
    "too many logins": ((HEADER, *[WRONG] * MAX_LOGIN_TRIES), PLAIN, StreamCondition.POLICY_VIOLATION, OFF),
    "too many aborts": ((HEADER, *[SCRAM, ABORT] * MAX_LOGIN_TRIES), PLAIN, StreamCondition.POLICY_VIOLATION, OFF),
    "data after the login": ((HEADER,), PLAIN + "<stream:stream>", StreamCondition.POLICY_VIOLATION, OFF),
    "stanza after the login": ((HEADER,), PLAIN + MESSAGE, StreamCondition.POLICY_VIOLATION, OFF),
    # section 6.4.6
    "login as another": ((*UNDER_TLS[:-1], OF_EVE), PLAIN, StreamCondition.INVALID_FROM, STRICT),
    # section 8.1.2.1
    "foreign from": (BOUND, "<message from='a@b'/>", StreamCondition.INVALID_FROM, OFF),
    "no stanza": (BOUND, PLAIN, StreamCondition.UNSUPPORTED_STANZA_TYPE, OFF),
}


@pytest.mark.parametrize(("before", "sent", "condition", "options"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(before: Said, sent: str, condition: StreamCondition, options: StreamOptions) -> None:
    peer = Peer(options)
    peer.say(*before)
    output = peer.say(sent)
    assert f'<stream:error><{condition} xmlns="{STREAM_ERRORS}"/>' in output
    assert output.endswith(f"</stream:error>{END}")
    # section 4.9.1.2: also before our header, or that of a restart
    assert output.count("<stream:stream ") == (before in ((), LOGGED_IN) or "<success" in output)
    assert peer.stream.state is State.CLOSED
    assert isinstance(peer.events[-1], Closed)
    assert peer.events[-1].reason.startswith(condition)
    assert peer.say(END, HEADER, MESSAGE) == ""


@pytest.mark.parametrize(("before", "options"), [((HEADER,), OFF), (UNDER_TLS, REQUIRED)], ids=["no TLS", "TLS twice"])
def test_tls_that_is_not_on_offer(before: Said, options: StreamOptions) -> None:
    peer = Peer(options)
    peer.say(*before)
    assert peer.say(STARTTLS) == f"<failure xmlns='{TLS}'/>{END}"  # section 5.4.2.2
    assert peer.stream.state is State.CLOSED


# --- every state, every input

REACHED: dict[State, Said] = {
    State.OPENING: (),
    State.NEGOTIATING: (HEADER,),
    State.AUTHENTICATING: (HEADER, SCRAM),
    State.AUTHENTICATED: LOGGED_IN,
    State.BINDING: BINDING,
    State.BOUND: BOUND,
    State.CLOSED: (HEADER, END),
}
SPOKEN = {
    Input.HEADER: HEADER,
    Input.STARTTLS: STARTTLS,
    Input.AUTH: SCRAM,
    Input.RESPONSE: response("x"),
    Input.ABORT: ABORT,
    Input.IQ: bind("pda"),
    Input.END: END,
}


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize("what", SPOKEN)
def test_what_is_not_in_the_table_is_refused(state: State, what: Input) -> None:
    in_clear = state in (State.OPENING, State.NEGOTIATING, State.AUTHENTICATING)
    peer = Peer(StreamOptions(DOMAIN, "optional" if in_clear else "off", features_before_login=(REGISTER,)))
    peer.say(*REACHED[state])
    assert peer.stream.state is state
    output = peer.say(SPOKEN[what])
    if state is State.CLOSED:
        assert output == ""
    elif (state, what) == (State.BOUND, Input.IQ):
        assert isinstance(peer.events[-1], Stanza)
    else:
        assert ("<stream:error>" in output) == (what not in TRANSITIONS[state])
        assert output.count(END) == (peer.stream.state is State.CLOSED)
