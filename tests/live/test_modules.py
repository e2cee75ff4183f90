"""What servers keep and say, as slixmpp's own plugins ask for it; direct TLS, anonymous and legacy logins."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.live.clients import RealProgram
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
ODD = """
name: odd
servers:
  s1: {domain: elsinore.lit, anonymous: true, admin: hamlet@elsinore.lit, modules: [disco, legacy_auth, ping, roster]}
accounts:
  hamlet@elsinore.lit:
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A server that lets in whoever is no longer welcome elsewhere."""
    folder = tmp_path_factory.mktemp("odd")
    topology = folder / "odd.yaml"
    topology.write_text(ODD)
    yield from RunningLab(folder, topology).while_up()


def client(lab: RunningLab, jid: str, where: str = "c2s") -> RealProgram:
    """slixmpp with the plugins that these tests need; `where`: `c2s` or `direct_tls`."""
    domain = jid.partition("/")[0].rpartition("@")[2]
    host, _, port = lab.node(domain)[where].rpartition(":")
    return RealProgram("slixmpp_modules.py", jid, "secret", host, port, lab.ps()["ca_file"])


def test_what_an_account_keeps(verona: RunningLab) -> None:
    with client(verona, f"{JULIET}/balcony") as juliet:
        juliet.see("session")
        juliet.do("vcard_set", name="Juliet", photo="rose")
        juliet.see("vcard set")
        juliet.do("bookmark", room="garden@conference.capulet.lit")
        juliet.see("bookmarked")
    with client(verona, f"{JULIET}/chamber") as juliet, client(verona, f"{ROMEO}/pda") as romeo:
        for reader in (juliet, romeo):
            reader.see("session")
            reader.do("vcard", to=JULIET)
            reader.see("vcard", name="Juliet", photo="rose")
        juliet.do("bookmarks")
        juliet.see("bookmarks", rooms=["garden@conference.capulet.lit"])
        romeo.do("vcard", to="nobody@capulet.lit")
        romeo.see("refused", do="vcard", condition="service-unavailable")


def test_time_and_last_activity(verona: RunningLab) -> None:
    with client(verona, f"{ROMEO}/pda") as romeo:
        romeo.see("session")
        with client(verona, f"{JULIET}/balcony") as juliet:
            juliet.see("session")
            romeo.do("last", to=JULIET)
            romeo.see("last", seconds=0)
            juliet.do("presence", ptype="unavailable", pstatus="Heading Home")
            juliet.do("quit")
            juliet.see("disconnected")
        romeo.do("last", to=JULIET)
        assert romeo.see("last", status="Heading Home")["seconds"] >= 0
        romeo.do("last", to="nurse@capulet.lit")
        romeo.see("refused", do="last", condition="forbidden")
        romeo.do("last", to="capulet.lit")
        assert romeo.see("last")["seconds"] >= 0
        romeo.do("time", to="capulet.lit")
        time = romeo.see("time", tzo="+00:00")
        assert datetime.fromisoformat(time["utc"]).tzinfo is UTC


def test_blocking(verona: RunningLab) -> None:
    with client(verona, f"{ROMEO}/pda") as romeo, client(verona, f"{JULIET}/balcony") as juliet:
        for each in (romeo, juliet):
            each.see("session")
            each.do("presence")
        romeo.see("presence", type="available", from_=f"{JULIET}/balcony")
        juliet.see("presence", type="available", from_=f"{ROMEO}/pda")
        juliet.do("blocklist")
        juliet.see("blocklist", jids=[])
        juliet.do("block", jid=ROMEO)
        juliet.see("block push", name="block", jids=[ROMEO])
        romeo.see("presence", type="unavailable", from_=f"{JULIET}/balcony")
        romeo.do("message", to=JULIET, body="Can you hear me now?")
        romeo.see("message", type="error", condition="service-unavailable")
        juliet.do("message", to=ROMEO, body="No.")
        juliet.see("message", type="error", condition="not-acceptable")
        juliet.do("unblock", jid=ROMEO)
        juliet.see("block push", name="unblock", jids=[ROMEO])
        romeo.see("presence", type="available", from_=f"{JULIET}/balcony")
        juliet.see("presence", type="available", from_=f"{ROMEO}/pda")
        romeo.do("message", to=JULIET, body="hi!")
        juliet.see("message", body="hi!")
        assert [seen for seen in juliet.unseen("message") if seen["from"] == f"{ROMEO}/pda"] == []


def test_the_hash_of_the_servers_features(verona: RunningLab) -> None:
    with client(verona, f"{ROMEO}/pda") as romeo:
        romeo.see("session")
        romeo.do("caps")
        caps = romeo.see("caps")
        assert caps["advertised"] == caps["made"] != ""


def test_the_roster_is_sent_once(verona: RunningLab) -> None:
    with client(verona, f"{ROMEO}/pda") as romeo:
        romeo.see("session")
        romeo.do("iq", type="get", xml="<query xmlns='jabber:iq:roster' ver=''/>")
        [payload] = romeo.see("result")["payload"]
        version = payload.partition('ver="')[2].partition('"')[0]
        romeo.do("iq", type="get", xml=f"<query xmlns='jabber:iq:roster' ver='{version}'/>")
        romeo.see("result", payload=[])


def test_direct_tls(verona: RunningLab) -> None:
    with client(verona, f"{ROMEO}/pda", where="direct_tls") as romeo:
        romeo.see("session", jid=f"{ROMEO}/pda")
        romeo.do("ping", to="capulet.lit")
        romeo.see("pong")


def test_an_anonymous_login(odd: RunningLab) -> None:
    with client(odd, "elsinore.lit") as guest, client(odd, "hamlet@elsinore.lit/x") as hamlet:
        jid = guest.see("session")["jid"]
        hamlet.see("session")
        hamlet.do("message", to=jid, body="Who's there?")
        guest.see("message", body="Who's there?", from_="hamlet@elsinore.lit/x")
        guest.do("quit")
        guest.see("disconnected")
        hamlet.do("message", to=jid.partition("/")[0], body="Stay, and speak!")
        hamlet.see("message", type="error", condition="service-unavailable")


def test_a_legacy_login_under_direct_tls(odd: RunningLab) -> None:
    """By hand, since the clients that still know jabber:iq:auth know no other port."""
    fields = "<username>hamlet</username><password>secret</password><resource>x</resource>"
    with by_hand(odd) as stream:
        assert stream.selected_alpn_protocol() == "xmpp-client"  # XEP-0368 section 3
        said = ask(stream, "<stream:stream to='elsinore.lit' version='1.0' xmlns='jabber:client' "
                   "xmlns:stream='http://etherx.jabber.org/streams'>", "</stream:features>")  # fmt: skip
        assert "starttls" not in said
        assert "<auth xmlns=" in said
        login = f"<iq type='set' id='a'><query xmlns='jabber:iq:auth'>{fields}</query></iq>"
        assert ask(stream, login, "/>") == '<iq id="a" type="result"/>'
        ping = "<iq type='get' id='p' to='elsinore.lit'><ping xmlns='urn:xmpp:ping'/></iq>"
        assert 'to="hamlet@elsinore.lit/x"' in ask(stream, ping, "/>")


def by_hand(lab: RunningLab) -> ssl.SSLSocket:
    """A connection that begins with TLS."""
    host, _, port = lab.node("elsinore.lit")["direct_tls"].rpartition(":")
    context = ssl.create_default_context(cafile=str(Path(lab.ps()["ca_file"])))
    context.set_alpn_protocols(["xmpp-client"])
    plain = socket.create_connection((host, int(port)), timeout=60)
    return context.wrap_socket(plain, server_hostname="elsinore.lit")


def ask(stream: ssl.SSLSocket, data: str, until: str) -> str:
    """What comes back, up to this."""
    stream.sendall(data.encode())
    answer = ""
    while not answer.endswith(until):
        received = stream.recv(65_536)
        assert received, answer
        answer += received.decode()
    return answer
