"""Servers of other projects in a lab: Prosody and ejabberd, from Debian's packages, seen by slixmpp."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.clients import RealClient, RealProgram
from tests.live.running_lab import ROOT, RunningLab

MISSING = PROSODY.missing or EJABBERD.missing
pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

ROMEO, JULIET, MERCUTIO = "romeo@montague.lit", "juliet@capulet.lit", "mercutio@escalus.lit"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path_factory.mktemp("mixed"), ROOT / "topologies" / "mixed.yaml")
    lab.up()
    yield lab
    processes = [psutil.Process(node["pid"]) for node in state(lab)["nodes"]]
    lab.down()
    assert not any(map(psutil.Process.is_running, processes))
    assert list(lab.folder.iterdir()) == []


def state(lab: RunningLab) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(lab.command("ps", "--format", "json"))
    return found


def node(lab: RunningLab, name: str) -> dict[str, object]:
    return next(each for each in state(lab)["nodes"] if each["name"] == name)


def client(lab: RunningLab, jid: str, server: str) -> RealClient:
    """Logged in and present."""
    found = RealClient(jid, "secret", str(node(lab, server)["c2s"]), str(lab.folder / ".xmpplab/mixed/ca.pem"))
    found.see("session")
    found.do("presence")
    return found


def eventing(lab: RunningLab, jid: str, server: str) -> RealProgram:
    """Logged in, with the plugins for publish-subscribe."""
    host, port = str(node(lab, server)["c2s"]).split(":")
    found = RealProgram("slixmpp_pep.py", f"{jid}/pep", "secret", host, port, str(lab.folder / ".xmpplab/mixed/ca.pem"))
    found.see("session")
    return found


def test_they_are_nodes_like_ours(lab: RunningLab) -> None:
    kinds = {each["name"]: (each["kind"], each["state"]) for each in state(lab)["nodes"]}
    assert kinds == {
        "redis": ("redis", "running"),
        "s1": ("server", "running"),
        "s2": ("prosody", "running"),
        "s3": ("ejabberd", "running"),
    }
    assert "Activated service 's2s'" in lab.command("logs", "s2")
    assert "ejabberd 2" in lab.command("logs", "s3")


def test_the_contacts_of_the_topology_see_each_other_and_chat(lab: RunningLab) -> None:
    """Rosters are there, EXTERNAL or dialback works, and both find each other with no DNS of this machine."""
    with client(lab, JULIET, "s2") as juliet, client(lab, MERCUTIO, "s3") as mercutio:
        juliet.do("roster")
        items = juliet.see("roster", type="result")["items"]
        assert items[MERCUTIO] == {"subscription": "both", "name": "Mercutio", "ask": ""}
        mercutio.see("presence", lambda seen: seen["from"].startswith(f"{JULIET}/"), type="available")
        juliet.see("presence", lambda seen: seen["from"].startswith(f"{MERCUTIO}/"), type="available")
        juliet.do("message", to=MERCUTIO, body="Good morrow")
        mercutio.see("message", body="Good morrow")
        mercutio.do("message", to=JULIET, body="A plague o' both your houses")
        juliet.see("message", body="A plague o' both your houses")
    assert "inbound s2s EXTERNAL authentication capulet.lit" in lab.command("logs", "s3")


def test_ours_is_one_of_them(lab: RunningLab) -> None:
    """romeo is ours; each is the contact of both others, sees them, and is understood by them."""
    with client(lab, ROMEO, "s1") as romeo, client(lab, JULIET, "s2") as juliet, client(lab, MERCUTIO, "s3") as third:
        everybody = {ROMEO: romeo, JULIET: juliet, MERCUTIO: third}
        for own, who in everybody.items():
            for other in everybody.keys() - {own}:
                who.see("presence", lambda seen, other=other: seen["from"].startswith(f"{other}/"), type="available")
                who.do("message", to=other, body=f"{own} to {other}")
        for own, who in everybody.items():
            for other in everybody.keys() - {own}:
                who.see("message", body=f"{other} to {own}")
    said = lab.command("logs", "s1")
    for domain in ("capulet.lit", "escalus.lit"):
        assert f"stream to {domain}: EXTERNAL, TLS" in said
        assert f"stream from {domain} to montague.lit: EXTERNAL, TLS" in said


@pytest.mark.parametrize(("server", "owner", "service"), [("s2", JULIET, "capulet"), ("s3", MERCUTIO, "escalus")])
def test_their_publish_subscribe_services(lab: RunningLab, server: str, owner: str, service: str) -> None:
    """An account of the topology creates a node; ours subscribes to it, and may create none (`creation: local`)."""
    at = f"pubsub.{service}.lit"
    with eventing(lab, owner, server) as theirs, eventing(lab, ROMEO, "s1") as romeo:
        romeo.do("presence")
        theirs.do("create", to=at, node="news", access_model="open")
        theirs.see("done", do="create")
        romeo.do("subscribe", to=at, node="news")
        romeo.see("subscribed", state="subscribed")
        theirs.do("publish", to=at, node="news", id="first", xml="<p xmlns='urn:example:p'>hist</p>")
        theirs.see("done", do="publish")
        romeo.see("publish", node="news", ids=["first"], from_=at)
        romeo.do("create", to=at, node="olds")
        romeo.see("refused", do="create", condition="forbidden")


def test_an_order_is_kept_both_ways(lab: RunningLab) -> None:
    bodies = [f"message {number}" for number in range(100)]
    with client(lab, ROMEO, "s1") as romeo, client(lab, JULIET, "s2") as juliet:
        juliet.see("presence", lambda seen: seen["from"].startswith(f"{ROMEO}/"), type="available")
        for sender, receiver in ((romeo, juliet), (juliet, romeo)):
            for body in bodies:
                sender.do("message", to=receiver.jid, body=body)
            receiver.see("message", body=bodies[-1])
            assert [seen["body"] for seen in receiver.unseen("message")] == bodies[:-1]
            while receiver.unseen("message"):
                receiver.see("message")


@pytest.mark.parametrize(("from_", "to"), [(ROMEO, JULIET), (MERCUTIO, ROMEO), (JULIET, MERCUTIO)])
def test_a_trace_tells_what_is_known(lab: RunningLab, from_: str, to: str) -> None:
    said = lab.command("trace", from_, to)
    assert "delivered" in said
    foreign = to != ROMEO
    assert ("as its client saw" in said) == foreign


def test_a_trace_names_the_sending_server_too(lab: RunningLab) -> None:
    said = lab.command("trace", JULIET, MERCUTIO)
    assert "when is not known; prosody records no hops" in said
    assert "as its client saw; ejabberd records no hops" in said


@pytest.mark.parametrize("domain", ["capulet.lit", "escalus.lit"])
def test_why_knows_that_it_came_back(lab: RunningLab, domain: str) -> None:
    lab.command("send", ROMEO, f"nobody@{domain}", "But, soft!", exit_code=1)
    answer = json.loads(lab.command("why", "--to", f"nobody@{domain}", "--format", "json"))
    assert (answer["kind"], answer["outcome"], answer["reason"]) == ("message", "bounced", "refused")
    assert f"answers {domain}" in answer["what"]


@pytest.mark.parametrize("from_", [JULIET, MERCUTIO])
def test_what_comes_from_them_is_in_the_journal(lab: RunningLab, from_: str) -> None:
    lab.command("send", from_, "nobody@montague.lit", "But, soft!", exit_code=1)
    answer = json.loads(lab.command("why", "--from", from_, "--format", "json"))
    assert (answer["kind"], answer["outcome"], answer["reason"]) == ("message", "bounced", "no-account")
    assert "records no hops" in answer["decisions"][0]["what"]


def test_a_trace_without_a_receiver_says_what_is_not_known(lab: RunningLab) -> None:
    said = lab.command("trace", ROMEO, JULIET, "--no-receiver", "--timeout", "1s", exit_code=1)
    assert "s2 is of kind prosody, which records no hops" in said


@pytest.mark.parametrize(("name", "jid"), [("s2", JULIET), ("s3", MERCUTIO)])
def test_what_is_killed_comes_back_with_its_accounts(lab: RunningLab, name: str, jid: str) -> None:
    pid = node(lab, name)["pid"]
    lab.command("kill", name)
    assert node(lab, name)["pid"] != pid
    client(lab, jid, name).close()


@pytest.mark.parametrize("name", ["s2", "s3"])
def test_what_is_paused_does_not_answer(lab: RunningLab, name: str) -> None:
    """The signal reaches the server itself, not something in between."""
    host, port = str(node(lab, name)["c2s"]).split(":")
    lab.command("pause", name)
    try:
        with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
            connection.settimeout(0.3)
            connection.sendall(b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        lab.command("resume", name)
    assert wait_until(lambda: node(lab, name)["state"] == "running", PATIENCE_S)


def test_the_accounts_of_ejabberd_are_not_managed(lab: RunningLab) -> None:
    said = lab.command("user", "del", MERCUTIO, exit_code=2)
    assert "s3 (escalus.lit) is of kind ejabberd: the lab does not manage its accounts" in said
    assert MERCUTIO in lab.command("user", "ls")


@pytest.mark.parametrize("domain", ["capulet.lit", "escalus.lit"])
def test_the_sessions_at_a_server_of_another_kind_are_not_seen(lab: RunningLab, domain: str) -> None:
    assert "the lab does not see the sessions of its clients" in lab.command("user", "sessions", domain, exit_code=2)


def test_the_accounts_of_prosody_are_managed_like_ours(lab: RunningLab) -> None:
    peter, at = "Friar.Peter@capulet.lit", str(node(lab, "s2")["c2s"])
    jid = peter.lower()
    lab.command("user", "add", peter, "--password", "first")
    assert f"{jid} exists already" in lab.command("user", "add", jid, "--password", "x", exit_code=1)
    assert jid in lab.command("user", "ls", "capulet.lit").splitlines()
    ca_file = str(lab.folder / ".xmpplab/mixed/ca.pem")
    with RealClient(jid, "first", at, ca_file) as client:
        client.see("session")
    lab.command("user", "passwd", jid, "--password", 'sec"ond')
    with RealClient(jid, "first", at, ca_file) as client:
        client.see("refused")
    with RealClient(jid, 'sec"ond', at, ca_file) as client:
        client.see("session")
    lab.command("user", "del", jid)
    with RealClient(jid, 'sec"ond', at, ca_file) as client:
        client.see("refused")
    assert f"no account {jid}" in lab.command("user", "del", jid, exit_code=1)
    assert JULIET in lab.command("user", "ls")


SEES = """
import socket, ssl, sys
context = ssl.create_default_context()
with context.wrap_socket(socket.create_connection((sys.argv[1], 5223), 10), server_hostname=sys.argv[1]) as tls:
    print("trusted", tls.getpeername()[0])
"""


@pytest.mark.parametrize(("domain", "server"), [("montague.lit", "s1"), ("capulet.lit", "s2"), ("escalus.lit", "s3")])
def test_a_program_of_the_system_finds_and_trusts_it(lab: RunningLab, domain: str, server: str) -> None:
    """And this machine is as it was: the name is known within only."""
    said = lab.command("exec", "--", sys.executable, "-c", SEES, domain)
    assert said == f"trusted {str(node(lab, server)['c2s']).removesuffix(':5222')}\n"
    assert domain not in Path("/etc/hosts").read_text()


@pytest.mark.parametrize("domain", ["montague.lit", "capulet.lit", "conference.capulet.lit", "escalus.lit"])
def test_a_stranger_meets_nothing_wrong(lab: RunningLab, domain: str) -> None:
    said = lab.command("check", domain)
    assert "FAIL" not in said
    assert "logs in with its certificate" in said


def test_its_exit_code_is_that_of_the_program(lab: RunningLab) -> None:
    lab.command("exec", "--", "sh", "-c", "exit 7", exit_code=7)
    assert "no program 'nothing-like-it' here" in lab.command("exec", "nothing-like-it", exit_code=127)


def test_a_server_ends_with_its_supervisor(tmp_path: Path) -> None:
    """SIGKILL leaves a supervisor no time to end anything."""
    (tmp_path / "alone.yaml").write_text("name: alone\nservers: {s1: {domain: capulet.lit, kind: prosody}}\n")
    alone = RunningLab(tmp_path, tmp_path / "alone.yaml")
    alone.up()
    try:
        server = psutil.Process(int(str(node(alone, "s1")["pid"])))
        supervisor = server.parent()
        assert supervisor is not None
        supervisor.kill()
        assert wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, PATIENCE_S)
    finally:
        alone.down()
