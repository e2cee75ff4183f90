"""What a server makes of bad, slow and greedy clients, over real sockets (design: "What bad input gets").

Stream errors for what is no XML or no stanza are in tests/conformance/test_stream_errors.py, logins in test_sasl.py,
addresses that lead nowhere in test_routing.py; clients that never log in are in test_crowd.py.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

import psutil
import pytest

from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp.limits import FROM_CLIENT
from tests.conformance.ours import TOPOLOGY, site_of
from tests.conformance.site import PASSWORD, Site, messages
from tests.conformance.wire import CLIENT, SASL, Ended
from tests.live.bad_clients import Flood, Sink, Slow, vanish
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
SM = "{urn:xmpp:sm:3}"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), TOPOLOGY).while_up()


@pytest.fixture
def site(lab: RunningLab) -> Iterator[Site]:
    site = site_of(lab)
    yield site
    site.close_clients()


# --- slow senders


def test_a_stanza_cut_at_every_byte(site: Site) -> None:
    """The answer to another client's ping says that the server has read what was sent before it."""
    receiver, sender, other = site.online(site.there), site.client(), site.client()
    for cut in range(1, 1_000):
        stanza = (
            f"<message to='{receiver.jid}' id='cut{cut}'><body>&lt;w&#233;&gt; ♥ <![CDATA[</body>]]></body>\n</message>"
        )
        data = stanza.encode()
        if cut == len(data):
            return
        sender.send(data[:cut])
        other.sync()
        sender.send(data[cut:])
        message = receiver.until(lambda child, id=f"cut{cut}": child.get("id") == id)[-1]
        assert message.findtext(f"{CLIENT}body") == "<wé> ♥ </body>"
    pytest.fail("not every cut was tried")


def test_a_login_byte_by_byte(site: Site) -> None:
    wire = Slow(site.here.address)
    wire.barrier = site.client()
    with wire:
        wire.open(site.here.name)
        wire.register("slow" + wire.barrier.name, PASSWORD)
        assert wire.plain("slow" + wire.barrier.name, PASSWORD).tag == f"{SASL}success"
        wire.open(site.here.name)
        assert wire.bind().get("type") == "result"


def test_a_login_byte_by_byte_under_tls(site: Site) -> None:
    """Each byte in a record of its own."""
    romeo, plain = site.secured, site.client(site.here)
    wire = Slow(romeo.address)
    wire.barrier = plain  # of another server: what counts here is that the bytes come alone
    with wire:
        wire.open(romeo.name)
        wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        assert wire.read().tag.endswith("proceed")
        wire.start_tls(romeo.ca_file, romeo.name)
        wire.open(romeo.name)
        wire.register("slow" + plain.name, PASSWORD)
        assert wire.plain("slow" + plain.name, PASSWORD).tag == f"{SASL}success"


# --- too much


def sized(to: str, size: int) -> str:
    """A message of so many bytes."""
    head, tail = f"<message to='{to}' id='sized'><body>", "</body></message>"
    return head + "x" * (size - len(head) - len(tail)) + tail


def nested(depth: int, to: str) -> str:
    return f"<message to='{to}' id='nested'>" + "<a>" * (depth - 1) + "</a>" * (depth - 1) + "</message>"


def crowded(nodes: int, to: str) -> str:
    """A message with so many elements and attributes, its own among them."""
    return f"<message to='{to}' id='crowded'>" + "<a/>" * (nodes - 3) + "</message>"


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda n, to: sized(to, n), FROM_CLIENT.max_bytes),
        (nested, FROM_CLIENT.max_depth),
        (crowded, FROM_CLIENT.max_nodes),
    ],
    ids=["size", "depth", "nodes"],
)
def test_the_limits_of_a_stanza(site: Site, make, limit: int, remote: bool) -> None:
    """What is at the limit arrives as it was sent; one more ends the stream."""
    receiver, sender = site.online(site.there if remote else site.here), site.client()
    sender.send(make(limit, receiver.jid))
    message = receiver.until(lambda child: child.get("id") in ("sized", "nested", "crowded"))[-1]
    assert message.find("*") is not None
    sender.send(make(limit + 1, receiver.jid))
    assert sender.stream_error() == "policy-violation"
    assert not messages(site.online().mark(receiver))


@pytest.mark.parametrize("attribute", ["x", "xmlns:x"])
def test_too_many_attributes(site: Site, attribute: str) -> None:
    client = site.client()
    client.send("<message " + " ".join(f"{attribute}{n}='urn:{n}'" for n in range(FROM_CLIENT.max_nodes)) + "/>")
    if attribute == "xmlns:x":  # declarations are no attributes, and take no room in a tree
        client.sync()
    else:
        assert client.stream_error() == "policy-violation"


def test_a_stanza_that_never_ends(lab: RunningLab, site: Site) -> None:
    client, other = site.client(), site.client()
    server = psutil.Process(lab.node(site.here.name)["pid"])
    before_bytes = server.memory_info().rss
    client.send("<message><body>")

    def send_for_ever() -> None:
        while True:
            client.send(b"x" * 65_536)

    with pytest.raises(ConnectionError):  # the server does not read it any more
        send_for_ever()
    other.sync()
    assert server.memory_info().rss - before_bytes < 16 * MIB


# --- clients that are gone, or half gone


def test_a_client_that_stops_sending(site: Site) -> None:
    """It closed its side of the connection, without a word: its session is over, and who saw it hears of that."""
    user, contact = site.friends()
    user.half_close()
    contact.presence_of("unavailable", user.jid)
    try:
        user.expect_end()
    except Ended:  # the server has nothing more to say
        user.expect_eof()


def test_a_client_that_stops_sending_before_its_login(site: Site) -> None:
    wire = site.wire()
    wire.open(site.here.name)
    wire.half_close()
    wire.expect_eof()


def test_a_client_that_vanishes(site: Site) -> None:
    """Its server notices when it next writes: then the session is over."""
    user, contact = site.friends()
    vanish(user)
    contact.sync(user.domain.name)  # nobody knows
    contact.send(f"<message to='{user.jid}' type='chat'><body>are you there?</body></message>")
    contact.presence_of("unavailable", user.jid)


def test_a_client_that_vanishes_and_returns(site: Site) -> None:
    """With stream management it has its session back, and what it missed (XEP-0198 section 5)."""
    user, contact = site.friends()
    user.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    enabled = user.until(lambda child: child.tag == f"{SM}enabled")[-1]
    vanish(user)
    said = [f"line {number}" for number in range(5)]
    for body in said:
        contact.send(f"<message to='{user.jid}' type='chat'><body>{body}</body></message>")
        contact.sync(user.domain.name)
    wire, _ = site.authenticated(name=user.name)
    wire.send(f"<resume xmlns='urn:xmpp:sm:3' h='0' previd='{enabled.get('id')}'/>")
    assert wire.read().tag == f"{SM}resumed"
    missed = [wire.until(lambda child: child.tag == f"{CLIENT}message")[-1] for _ in said]
    assert [message.findtext(f"{CLIENT}body") for message in missed] == said


# --- clients that send faster, or read more slowly, than others


@pytest.mark.parametrize("remote", [False, True])
def test_a_flood_leaves_the_others_their_turn(lab: RunningLab, site: Site, remote: bool) -> None:
    """Between another's question and its answer, the server takes no more of an endless flood than a few reads.

    That is counted in bytes, not in time. What it cannot pass on so fast stays with the flooding client.
    """
    flooder, receiver = site.client(), site.online(site.there if remote else site.here)
    user, contact = site.friends()
    server = psutil.Process(lab.node(site.here.name)["pid"])
    before_bytes = server.memory_info().rss
    sink, flood = Sink(receiver), Flood(flooder, receiver.jid)
    taken = []
    try:
        while flood.sent_bytes < 8 * MIB:  # the buffers of the sockets are full by now
            user.sync()
        for _ in range(50):
            begun_bytes = flood.sent_bytes
            user.sync()
            taken.append(flood.sent_bytes - begun_bytes)
        assert not flood.is_cut_off
    finally:
        flood.stop()
        user.mark(contact)  # after what of the flood is on its way to the same domain
        sink.stop()
    assert sorted(taken)[len(taken) // 2] < MIB, taken
    assert server.memory_info().rss - before_bytes < 32 * MIB


def test_who_does_not_read_is_cut_off(lab: RunningLab, site: Site) -> None:
    """And costs the server no more than its bound; the others are served all the while."""
    flooder, silent = site.client(), site.online()
    user, contact = site.friends()
    server = psutil.Process(lab.node(site.here.name)["pid"])
    before_bytes = server.memory_info().rss
    flood = Flood(flooder, silent.jid)
    try:
        while flood.sent_bytes < 4 * MAX_UNSENT_BYTES and not flood.is_cut_off:
            user.mark(contact)
    finally:
        flood.stop()
    try:
        assert silent.stream_error() == "policy-violation"
    except Ended:  # it was too late to read why: the server waits for its closing tag only so long
        silent.expect_eof()
    flooder.sync()
    assert server.memory_info().rss - before_bytes < 8 * MAX_UNSENT_BYTES


# --- logins


def challenge(site: Site, name: str) -> dict[str, str]:
    """What SCRAM-SHA-1 says first, by its letters (RFC 5802 section 5.1)."""
    wire = site.wire()
    wire.open(site.here.name)
    first = base64.b64encode(f"n,,n={name},r=abc".encode()).decode()
    wire.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{first}</auth>")
    text = base64.b64decode(wire.read().text or "").decode()
    return dict(part.split("=", 1) for part in text.split(","))


def test_an_unknown_account_looks_like_a_known_one(site: Site) -> None:
    """RFC 6120 section 13.11: the salt of nobody is as long as others, and the same at each try."""
    known, unknown = challenge(site, site.account()), challenge(site, "nobody-of-that-name")
    assert known.keys() == unknown.keys()
    assert known["i"] == unknown["i"]
    assert len(known["s"]) == len(unknown["s"])
    assert challenge(site, "nobody-of-that-name")["s"] == unknown["s"]
    assert challenge(site, "somebody-else")["s"] != unknown["s"]
