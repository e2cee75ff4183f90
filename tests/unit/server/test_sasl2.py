"""The extensible SASL profile (XEP-0388) on whole streams, with Bind 2 (XEP-0386) and stream management inline."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from cluster.server.c2s.client_streams import ClientStreams
from cluster.server.sessions.binder import MAX_SESSIONS
from cluster.store.memory_archives import MemoryArchives
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import BIND, BIND2, CLIENT, FAST, MAM, SASL, SASL2, SM, STREAMS
from cluster.xmpp.streams import sasl
from tests.modern import AGENT, BINDINGS, OTHER_AGENT, Modern, authenticate, condition, identity, is_success
from tests.network import MONTAGUE, PASSWORD, Network

ROMEO = "romeo@montague.lit"
CARBONS, CSI = "urn:xmpp:carbons:2", "urn:xmpp:csi:0"
TWO = "s1-2"
ENABLE = f"<enable xmlns='{SM}' resume='true'/>"


def bind(*features: str, tag: str = "") -> str:
    return f"<bind xmlns='{BIND2}'>{f'<tag>{tag}</tag>' if tag else ''}{''.join(features)}</bind>"


def resume(previd: str, h: int | str = 0) -> str:
    return f"<resume xmlns='{SM}' previd='{previd}' h='{h}'/>"


def bound(answer: list[Element]) -> Element:
    found = answer[0].find(f"{{{BIND2}}}bound")
    assert found is not None, xml.serialize(answer[0])
    return found


def ended(answer: list[Element]) -> str:
    """The condition of the stream error that ends it."""
    assert answer[-1].tag == f"{{{STREAMS}}}error", answer
    return answer[-1][0].tag.partition("}")[2]


def chat(to: str, text: str) -> str:
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


def test_what_is_on_offer(network: Network) -> None:
    romeo = Modern(network, ROMEO)  # XEP-0388 section 2.1, XEP-0386 section 3.1, XEP-0484 section 3.1
    offer = romeo.got[0].find(f"{{{SASL2}}}authentication")
    assert offer is not None
    classic = [name.text for name in romeo.got[0].iter(f"{{{SASL}}}mechanism")]
    assert [name.text for name in offer.findall(f"{{{SASL2}}}mechanism")] == classic
    inline = offer.find(f"{{{SASL2}}}inline")
    assert inline is not None
    assert [each.tag for each in inline] == [f"{{{BIND2}}}bind", f"{{{SM}}}sm", f"{{{FAST}}}fast"]
    assert [each.get("var") for each in inline.iter(f"{{{BIND2}}}feature")] == [CARBONS, CSI, SM]
    tokens = [each.text for each in inline.iter(f"{{{FAST}}}mechanism")]
    assert tokens == ["HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"]
    assert inline[2].get("tls-0rtt") is None


def test_not_without_tls(network: Network) -> None:
    network.account(ROMEO)
    connection = network.connect()  # XEP-0388 section 4
    header = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
    network.say(connection, header)
    assert SASL2.encode() not in connection.output
    network.say(connection, authenticate("PLAIN", sasl.encode(f"\0romeo\0{PASSWORD}")))
    assert b"<encryption-required" in connection.output


def test_a_login_without_more_is_not_restarted(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    answer = romeo.log_in()
    assert is_success(answer)
    assert identity(answer) == Jid.parse(ROMEO)
    assert answer[1].find(f"{{{BIND}}}bind") is not None
    assert answer[1].find(f"{{{SASL2}}}authentication") is None
    wanted = f"<bind xmlns='{BIND}'><resource>pda</resource></bind>"
    [reply] = romeo.say(f"<iq type='set' id='b' xmlns='{CLIENT}'>{wanted}</iq>")
    assert reply.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid") == f"{ROMEO}/pda"


@pytest.mark.parametrize("bindings", [{}, BINDINGS])
def test_scram(network: Network, bindings: dict[str, bytes]) -> None:
    romeo = Modern(network, ROMEO, bindings)
    client = sasl.ScramClient(["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], "romeo", PASSWORD, bindings, "nonce")
    assert client.mechanism.endswith("-PLUS") == bool(bindings)
    [challenge] = romeo.say(authenticate(client.mechanism, sasl.encode(client.first()), bind()))
    assert challenge.tag == f"{{{SASL2}}}challenge"
    said = sasl.encode(client.answer(sasl.decode(challenge.text)))
    answer = romeo.say(f"<response xmlns='{SASL2}'>{said}</response>")
    assert identity(answer).bare == Jid.parse(ROMEO)
    client.verify(sasl.decode(answer[0].findtext(f"{{{SASL2}}}additional-data")))


def test_without_an_initial_response_the_client_is_asked_for_it(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    [challenge] = romeo.say(f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/>")
    assert challenge.tag == f"{{{SASL2}}}challenge"
    right = sasl.encode(f"\0romeo\0{PASSWORD}")
    assert is_success(romeo.say(f"<response xmlns='{SASL2}'>{right}</response>"))


def test_an_abort(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    romeo.say(f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/>")
    assert condition(romeo.say(f"<abort xmlns='{SASL2}'><text>changed my mind</text></abort>")) == "aborted"
    assert is_success(romeo.log_in())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (authenticate("CRAM-MD5", ""), "invalid-mechanism"),
        (authenticate("PLAIN", sasl.encode("\0romeo\0wrong"), bind()), "not-authorized"),
        (authenticate("PLAIN", sasl.encode("\0nobody\0secret"), bind()), "not-authorized"),
        (authenticate("PLAIN", "%%%"), "incorrect-encoding"),
        (authenticate("PLAIN", "", agent="my-phone"), "malformed-request"),
        (authenticate("PLAIN", "", agent=AGENT.replace("-4749-", "-1749-")), "malformed-request"),  # not version 4
        (authenticate("PLAIN", "", agent="a" * 10_000), "malformed-request"),
        (authenticate("PLAIN", "", resume("x", "many")), "malformed-request"),
        (authenticate("PLAIN", "", f"<fast xmlns='{FAST}' count='-1'/>"), "malformed-request"),
    ],
)
def test_refused_logins(network: Network, said: str, why: str) -> None:
    romeo = Modern(network, ROMEO)
    assert condition(romeo.say(said)) == why
    assert not network.servers[MONTAGUE].domain.accounts.online  # no inline feature is processed (section 2.6.2)
    assert is_success(romeo.log_in())


def test_five_tries(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    for _ in range(5):
        assert condition(romeo.log_in(password="wrong")) == "not-authorized"
    assert ended(romeo.log_in()) == "policy-violation"
    assert romeo.is_closed


RIGHT = authenticate("PLAIN", sasl.encode(f"\0romeo\0{PASSWORD}"))
ASKED = f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/>"


@pytest.mark.parametrize(
    "said",
    [
        (RIGHT, RIGHT),  # section 6.7
        (ASKED, RIGHT),
        (ASKED, f"<auth xmlns='{SASL}' mechanism='PLAIN'/>"),
        (ASKED, f"<response xmlns='{SASL}'/>"),
        (ASKED, f"<abort xmlns='{SASL}'/>"),
        (ASKED, "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>"),  # section 2.4
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'/>", f"<response xmlns='{SASL2}'/>"),
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'/>", ASKED),
        (f"<response xmlns='{SASL2}'/>",),
        (f"<next xmlns='{SASL2}' task='TOTP'/>",),
        (f"{RIGHT}<presence/>",),
    ],
)
def test_what_ends_the_stream(network: Network, said: tuple[str, ...]) -> None:
    romeo = Modern(network, ROMEO)
    for each in said:
        answer = romeo.say(each)
    assert ended(answer) in ("policy-violation", "not-authorized")
    assert romeo.is_closed


def test_after_a_binding_there_is_no_second_login(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    assert is_success(romeo.log_in(bind()))
    assert ended(romeo.say(RIGHT)) == "unsupported-stanza-type"


# --- Bind 2


def test_a_resource_together_with_the_login(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    answer = romeo.log_in(bind(tag="AwesomeXMPP"))
    assert is_success(answer)
    tag, slash, id = identity(answer).resourcepart.partition("/")
    assert (tag, slash) == ("AwesomeXMPP", "/")
    assert AGENT not in id
    assert answer[1].find(f"{{{BIND}}}bind") is None  # it has one
    assert answer[1].find(f"{{{SM}}}sm") is not None  # may still be enabled
    network.say(romeo, chat(ROMEO, "to myself") + "<presence/>")
    network.say(romeo, chat(str(identity(answer)), "to this one"))
    assert [each.findtext(f"{{{CLIENT}}}body") for each in romeo.got if each.tag == f"{{{CLIENT}}}message"][-1] == (
        "to this one"
    )


def test_a_client_keeps_its_resource(network: Network) -> None:
    def resource(agent: str, tag: str = "A", jid: str = ROMEO) -> str:
        client = Modern(network, jid)
        found = identity(client.log_in(bind(tag=tag), agent=agent)).resourcepart
        network.say(client, "</stream:stream>")
        return found

    first = resource(AGENT)
    assert resource(AGENT) == resource(AGENT.upper()) == first
    assert resource(OTHER_AGENT) != first
    assert resource(AGENT, "B") != first
    assert resource(AGENT, jid="benvolio@montague.lit") != first  # nobody can tell that it is the same installation
    assert resource("") != resource("")
    assert resource(AGENT, "") == first.partition("/")[2]


def test_a_client_has_one_session(network: Network) -> None:
    first = Modern(network, ROMEO)
    first.log_in(bind(tag="A"))
    again = Modern(network, ROMEO)
    assert is_success(again.log_in(bind(tag="B")))  # XEP-0386 section 3.2: by its user agent, whatever its tag
    assert ended(first.got) == "conflict"
    other = Modern(network, ROMEO)
    other.log_in(bind(tag="B"), agent=OTHER_AGENT)
    assert not again.is_closed


@pytest.mark.parametrize("tag", ["x" * 1023, "\u200b", "two\u0085lines"])
def test_a_tag_that_no_address_has_is_left_out(network: Network, tag: str) -> None:
    romeo = Modern(network, ROMEO)
    assert "/" not in identity(romeo.log_in(bind(tag=tag))).resourcepart


def test_no_room_for_one_more_session(network: Network) -> None:
    network.account(ROMEO)
    for number in range(MAX_SESSIONS):
        network.client(f"{ROMEO}/{number}")
    romeo = Modern(network, ROMEO)
    assert condition(romeo.log_in(bind())) == "temporary-auth-failure"
    network.connections[0].drop()
    assert is_success(romeo.log_in(bind()))


def test_the_state_of_the_archive(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    metadata = bound(romeo.log_in(bind())).find(f"{{{MAM}}}metadata")
    assert metadata is not None
    assert not len(metadata)
    juliet = network.client("juliet@capulet.lit/balcony")
    network.say(juliet, chat(ROMEO, "one") + chat(ROMEO, "two") + chat(ROMEO, "three"))
    metadata = bound(Modern(network, ROMEO).log_in(bind())).find(f"{{{MAM}}}metadata")
    assert metadata is not None
    assert [each.tag for each in metadata] == [f"{{{MAM}}}start", f"{{{MAM}}}end"]
    assert {each.get("timestamp") for each in metadata} == {"2023-11-14T22:13:20.125Z"}
    assert metadata[0].get("id") != metadata[1].get("id")


def test_waiting_messages_are_in_the_archive(network: Network) -> None:
    network.account(ROMEO)
    juliet = network.client("juliet@capulet.lit/balcony")
    call = "<message to='romeo@montague.lit' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='c'/></message>"
    network.say(juliet, chat(ROMEO, "hi") + call)
    romeo = Modern(network, ROMEO)
    romeo.log_in(bind())  # XEP-0386 section 3.2
    got = romeo.say("<presence/>")
    assert [each for each in got if each.findtext(f"{{{CLIENT}}}body")] == []
    assert any(each.find("{urn:xmpp:jingle-message:0}propose") is not None for each in got)  # the archive has it not
    assert not [each for each in network.online(f"{ROMEO}/pda").take() if each.startswith("message")]  # they are gone


def test_without_it_they_are_sent(network: Network) -> None:
    network.account(ROMEO)
    network.say(network.client("juliet@capulet.lit/balcony"), chat(ROMEO, "hi"))
    romeo = Modern(network, ROMEO)
    romeo.log_in()
    romeo.say(f"<iq type='set' id='b'><bind xmlns='{BIND}'/></iq>")
    assert "hi" in [each.findtext(f"{{{CLIENT}}}body") for each in romeo.say("<presence/>")]


def test_nothing_is_written_before_the_client_knows_that_it_is_bound(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Deferred[None]] = []
    query = MemoryArchives.query

    async def later(archives: MemoryArchives, *what: object) -> object:
        asked.append(Deferred())
        await asked[-1]
        return await query(archives, *what)  # type: ignore[arg-type]

    juliet, first = network.client("juliet@capulet.lit/balcony"), Modern(network, ROMEO)
    address = str(identity(first.log_in(bind())))
    monkeypatch.setattr(MemoryArchives, "query", later)
    romeo = Modern(network, ROMEO)
    assert romeo.log_in(bind(f"<enable xmlns='{CARBONS}'/>", ENABLE)) == []
    network.say(juliet, chat(address, "early"))
    for _ in range(2):
        asked.pop().callback(None)
        network.settle()
    assert [each.tag.partition("}")[2] for each in romeo.got[1:4]] == ["success", "features", "message"]
    assert romeo.got[3].findtext(f"{{{CLIENT}}}body") == "early"
    network.say(juliet, chat(address, "late"))
    assert "late" in [each.findtext(f"{{{CLIENT}}}body") for each in romeo.got]


def test_carbons_from_the_beginning(network: Network) -> None:
    pda, juliet = network.online(f"{ROMEO}/pda"), network.client("juliet@capulet.lit/balcony")
    romeo = Modern(network, ROMEO)
    assert is_success(romeo.log_in(bind(f"<enable xmlns='{CARBONS}'/>")))
    network.say(juliet, chat(f"{ROMEO}/pda", "hi"))
    assert romeo.got[-1].find(f"{{{CARBONS}}}received") is not None
    assert pda.take() == ["message/chat juliet@capulet.lit/balcony: hi"]


@pytest.mark.parametrize(("state", "holds"), [("active", False), ("inactive", True)])
def test_client_state_from_the_beginning(network: Network, state: str, holds: bool) -> None:
    network.friends(ROMEO, "juliet@capulet.lit")
    romeo = Modern(network, ROMEO)
    romeo.log_in(bind(f"<{state} xmlns='{CSI}'/>"))
    network.say(romeo, "<presence/>")
    seen = len(romeo.got)
    juliet = network.online("juliet@capulet.lit/balcony")
    assert (len(romeo.got) == seen) == holds
    network.say(juliet, chat(ROMEO, "wake up"))
    assert romeo.got[-1].findtext(f"{{{CLIENT}}}body") == "wake up"


def test_features_that_are_not_on_offer_are_ignored(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    answer = romeo.log_in(bind("<enable xmlns='urn:example:none'/>", ENABLE, ENABLE, f"<r xmlns='{SM}'/>"))
    assert is_success(answer)
    assert [each.tag for each in bound(answer)] == [f"{{{SM}}}enabled", f"{{{MAM}}}metadata"]


# --- stream management (XEP-0198 section 6)


@pytest.mark.parametrize("at", ["", TWO])
def test_a_stream_is_managed_and_resumed_inline(network: Network, at: str) -> None:
    network.add_node(TWO)
    network.online(f"{ROMEO}/pda")  # so the account is at the first node
    juliet = network.client("juliet@capulet.lit/balcony")
    romeo = Modern(network, ROMEO, at=at)
    answer = romeo.log_in(bind(ENABLE))
    enabled = bound(answer).find(f"{{{SM}}}enabled")
    assert enabled is not None
    assert enabled.get("resume") == "true"
    address = str(identity(answer))
    network.say(juliet, chat(address, "1"))
    romeo.say(f"<a xmlns='{SM}' h='1'/>" + chat("juliet@capulet.lit/balcony", "reply"))
    romeo.drop()
    network.settle()
    network.say(juliet, chat(address, "2"))
    assert juliet.take() == [f"message/chat {address}: reply"]

    again = Modern(network, ROMEO, at=at)
    answer = again.log_in(resume(enabled.get("id", ""), 1), bind(ENABLE))
    assert identity(answer) == Jid.parse(address)
    resumed = answer[0].find(f"{{{SM}}}resumed")
    assert resumed is not None
    assert (resumed.get("previd"), resumed.get("h")) == (enabled.get("id"), "1")
    assert answer[0].find(f"{{{BIND2}}}bound") is None
    assert answer[1].tag == f"{{{CLIENT}}}message"  # no features (XEP-0198 section 6.2)
    assert answer[1].findtext(f"{{{CLIENT}}}body") == "2"
    assert not again.is_closed


@pytest.mark.parametrize("at", ["", TWO])
def test_where_it_cannot_be_resumed_a_resource_is_bound(network: Network, at: str) -> None:
    network.add_node(TWO)
    network.online(f"{ROMEO}/pda")
    romeo = Modern(network, ROMEO, at=at)
    answer = romeo.log_in(resume("unknown"), bind(ENABLE))
    assert is_success(answer)
    failed = answer[0].find(f"{{{SM}}}failed")
    assert failed is not None
    assert failed[0].tag.endswith("}item-not-found")
    assert bound(answer).find(f"{{{SM}}}enabled") is not None
    assert answer[1].find(f"{{{SM}}}sm") is None  # xmpp.js would enable it again
    assert identity(answer).resourcepart


def test_a_failed_resumption_without_a_bind(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    answer = romeo.log_in(resume("unknown"))
    assert is_success(answer)
    assert identity(answer) == Jid.parse(ROMEO)
    assert answer[0].find(f"{{{SM}}}failed") is not None
    assert answer[1].find(f"{{{BIND}}}bind") is not None


def test_an_impossible_count_ends_the_stream(network: Network) -> None:
    romeo = Modern(network, ROMEO)
    enabled = bound(romeo.log_in(bind(ENABLE))).find(f"{{{SM}}}enabled")
    assert enabled is not None
    again = Modern(network, ROMEO)
    assert ended(again.log_in(resume(enabled.get("id", ""), 1000), bind())) == "undefined-condition"


def test_a_session_that_cannot_be_told_ends(network: Network) -> None:
    """Its client is gone before the answer."""
    romeo = Modern(network, ROMEO)
    romeo.log_in(bind())
    romeo.drop()
    network.settle()
    assert not network.servers[MONTAGUE].domain.accounts.online
    assert isinstance(romeo.streams, ClientStreams)
