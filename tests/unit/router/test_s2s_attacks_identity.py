"""Strangers who speak for others, over real sockets and real TLS: by dialback, and by addresses that look alike."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.router.s2s.ports import Address
from cluster.xmpp.streams.servers.dialback import Pair, key
from tests.harness import ReactorThread
from tests.ports.worlds import CAPULET, MONTAGUE
from tests.unit.router.certificates import Certified
from tests.unit.router.s2s_sockets import (
    ANSWER,
    AUTH,
    OF_MONTAGUE,
    STANZA,
    TRUSTED,
    Listener,
    Server,
    Stranger,
    dns,
)
from tests.unit.xmpp.server_streams import HEADER

OF_MALLORY = TRUSTED.issue(dns("evil.lit"))
PAIR = Pair(MONTAGUE, CAPULET)


@pytest.fixture
def capulet(reactor_thread: ReactorThread) -> Iterator[Server]:
    server = Server(reactor_thread, "required")
    yield server
    server.stop()


@pytest.fixture
def montague(reactor_thread: ReactorThread, capulet: Server) -> Iterator[Server]:
    """The authoritative server, which capulet knows."""
    server = Server(reactor_thread, "required", MONTAGUE)
    capulet.addresses[MONTAGUE] = (Address("127.0.0.1", server.port),)
    yield server
    server.stop()


def result(given: str, pair: Pair = PAIR) -> str:
    return f"<db:result from='{pair.from_}' to='{pair.to}'>{given}</db:result>"


def mallory(capulet: Server, folder: Path, header: str = HEADER) -> tuple[Stranger, str]:
    """Somebody with a certificate of another domain, and the id of the stream."""
    stranger = capulet.stranger()
    stranger.say(HEADER.replace(f" from='{MONTAGUE}'", ""), "</stream:features>")
    stranger.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed")
    stranger.start_tls(OF_MALLORY, folder)
    features = stranger.say(header, "</stream:features>")
    assert "EXTERNAL" not in features
    return stranger, re.findall(" id=[\"'](.*?)[\"']", features)[0]


def forged(id: str) -> str:
    return key("a guess", PAIR, id)


def of_another_stream(id: str) -> str:
    return key(f"{MONTAGUE}'s", PAIR, f"not {id}")


def of_another_pair(id: str) -> str:
    return key(f"{MONTAGUE}'s", Pair(MONTAGUE, "denmark.lit"), id)


def of_the_way_back(id: str) -> str:
    return key(f"{MONTAGUE}'s", PAIR.reverse, id)


@pytest.mark.parametrize("make", [forged, of_another_stream, of_another_pair, of_the_way_back])
def test_a_key_that_is_not_montagues_for_this_stream_opens_nothing(
    capulet: Server, montague: Server, tmp_path: Path, make: Callable[[str], str]
) -> None:
    stranger, id = mallory(capulet, tmp_path)
    told = stranger.say(result(make(id)), "</stream:stream>")
    assert re.search("<db:result [^>]*type='invalid'", told)
    assert capulet.node.delivered == []


def test_the_right_key_opens_the_stream(capulet: Server, montague: Server, tmp_path: Path) -> None:
    """So it is the key that was refused above."""
    stranger, id = mallory(capulet, tmp_path)
    assert "type='valid'" in stranger.say(result(key(f"{MONTAGUE}'s", PAIR, id)), "/>")
    stranger.say(STANZA)
    capulet.wait(lambda: capulet.node.delivered)


@pytest.mark.parametrize("name", [CAPULET, CAPULET.upper()])
def test_nobody_dials_back_for_a_domain_that_is_served_here(capulet: Server, tmp_path: Path, name: str) -> None:
    stranger, id = mallory(capulet, tmp_path)
    pair = Pair(name, CAPULET)
    assert "<not-acceptable" in stranger.say(result(key(f"{CAPULET}'s", pair, id), pair), "</db:result>")
    stranger.say(STANZA.replace(MONTAGUE, CAPULET), "<not-authorized")


@pytest.mark.parametrize("name", [CAPULET, CAPULET.upper()])
def test_no_stream_is_from_a_domain_that_is_served_here(capulet: Server, name: str) -> None:
    told = capulet.stranger().say(HEADER.replace(f"from='{MONTAGUE}'", f"from='{name}'"), "</stream:stream>")
    assert "<invalid-from" in told


@pytest.mark.parametrize(
    "said",
    [
        f"<db:result from='{MONTAGUE}' to='{CAPULET}' type='valid'/>",
        f"<db:verify from='{MONTAGUE}' to='{CAPULET}' id='1' type='valid'/>",
    ],
)
def test_an_answer_that_nobody_asked_for_opens_nothing(
    capulet: Server, montague: Server, tmp_path: Path, said: str
) -> None:
    """XEP-0220 section 3.1."""
    stranger, _ = mallory(capulet, tmp_path)
    told = stranger.say(said + STANZA, "</stream:stream>")
    assert "<unsupported-stanza-type" in told
    assert capulet.node.delivered == []


def test_only_the_server_that_is_asked_may_confirm_a_key(capulet: Server, tmp_path: Path) -> None:
    """The stranger confirms its own key on its own stream, while the authoritative server says nothing."""
    asked: list[bytes] = []

    def silent(connection: socket.socket) -> None:
        with suppress(OSError):
            while data := connection.recv(65_536):
                asked.append(data)

    listener = Listener(silent)
    capulet.addresses[MONTAGUE] = (Address("127.0.0.1", listener.port),)
    stranger, id = mallory(capulet, tmp_path)
    stranger.say(result("mine"))
    capulet.wait(lambda: asked)
    confirmed = f"<db:verify from='{MONTAGUE}' to='{CAPULET}' id='{id}' type='valid'/>"
    assert "<unsupported-stanza-type" in stranger.say(confirmed + STANZA, "</stream:stream>")
    listener.close()
    assert capulet.node.delivered == []


@pytest.mark.parametrize(
    "said",
    [
        "<db:verify from='denmark.lit' to='{CAPULET}' id='{id}' type='valid'/>",
        "<db:verify from='{MONTAGUE}' to='{CAPULET}' id='another' type='valid'/>",
        "<db:verify from='{MONTAGUE}' to='denmark.lit' id='{id}' type='valid'/>",
        "<db:result from='{MONTAGUE}' to='{CAPULET}' type='valid'/>",
    ],
)
def test_what_was_not_asked_confirms_nothing(reactor_thread: ReactorThread, said: str) -> None:
    """The authoritative server answers another question than it was asked."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        dialback = "<dialback xmlns='urn:xmpp:features:dialback'/>"
        connection.sendall(f"{ANSWER}<stream:features>{dialback}</stream:features>".encode())
        got = ""
        while "</db:verify>" not in got:
            got += connection.recv(65_536).decode()
        [id] = re.findall('<db:verify .*? id="(.*?)"', got)
        connection.sendall(said.format(MONTAGUE=MONTAGUE, CAPULET=CAPULET, id=id).encode())
        while connection.recv(65_536):
            pass

    listener = Listener(serve)
    capulet = Server(reactor_thread, "off")
    capulet.addresses[MONTAGUE] = (Address("127.0.0.1", listener.port),)
    try:
        stranger = capulet.stranger()
        stranger.say(HEADER, "</stream:features>")
        assert "type='valid'" not in stranger.say(result("mine"), "</db:result>")
        stranger.say(STANZA, "<not-authorized")
        assert capulet.node.delivered == []
    finally:
        listener.close()
        capulet.stop()


LOOK_ALIKES = [
    "mont\u0430gue.lit",  # Cyrillic
    "montague.lit.evil.lit", "xmontague.lit", "rooms.montague.lit", "lit", "montague.lit%00", "montague.lit@evil.lit",
    "evil.lit/montague.lit", "montague.lit&#x20;", "[::1]",
]  # fmt: skip


@pytest.mark.parametrize("domain", LOOK_ALIKES)
def test_who_is_montague_is_nobody_who_looks_alike(capulet: Server, tmp_path: Path, domain: str) -> None:
    stranger = capulet.stranger()
    stranger.secure(OF_MONTAGUE, tmp_path)
    stranger.say(AUTH, "<success")
    stranger.say(HEADER, "</stream:features>")
    told = stranger.say(f"<message from='romeo@{domain}' to='juliet@capulet.lit'/>", "</stream:stream>")
    assert re.search("<(invalid-from|improper-addressing)", told)
    assert capulet.node.delivered == []


@pytest.mark.parametrize("domain", ["mont\u0430gue.lit", "montague.lit.evil.lit", "rooms.montague.lit"])
def test_a_certificate_of_montague_is_for_nobody_who_looks_alike(capulet: Server, tmp_path: Path, domain: str) -> None:
    stranger = capulet.stranger()
    stranger.start_tls(OF_MONTAGUE, tmp_path)
    header = HEADER.replace(f"from='{MONTAGUE}'", f"from='{domain}'")
    assert "EXTERNAL" not in stranger.say(header, "</stream:features>")
    stranger.say(AUTH, "<not-authorized")


@pytest.mark.parametrize("certified", [OF_MONTAGUE, OF_MALLORY])
def test_a_pair_that_was_not_authenticated_carries_nothing(
    capulet: Server, montague: Server, tmp_path: Path, certified: Certified
) -> None:
    """Montague's certificate is for montague, not for others; and to capulet, not through it."""
    stranger = capulet.stranger()
    stranger.start_tls(certified, tmp_path)
    domain = MONTAGUE if certified is OF_MONTAGUE else "evil.lit"
    stranger.say(HEADER.replace(MONTAGUE, domain), "</stream:features>")
    stranger.say(AUTH, "<success")
    stranger.say(HEADER.replace(MONTAGUE, domain), "</stream:features>")
    elsewhere = f"<message from='romeo@{domain}' to='hamlet@denmark.lit'/>"
    of_others = "<message from='hamlet@denmark.lit' to='juliet@capulet.lit'/>"
    told = stranger.say(elsewhere if certified is OF_MONTAGUE else of_others, "</stream:stream>")
    assert ("<host-unknown" if certified is OF_MONTAGUE else "<invalid-from") in told
    assert capulet.node.delivered == []
