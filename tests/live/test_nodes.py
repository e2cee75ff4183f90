"""Several nodes for one domain, with real clients: what a user sees when one of them hangs, dies, comes or goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis

from cluster.lab.folder import ADMIN, LABS, LabFolder
from cluster.redisio.keys import Keys
from tests.live.clients import RealClient
from tests.live.conftest import DRIVERS, running
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live


class NodesLab(RunningLab):
    """The lab of topologies/nodes.yaml."""

    def at(self, node: str, jid: str) -> RealClient:
        """A client that is bound, at this node."""
        ps = self.ps()
        address = next(each["c2s"] for each in ps["nodes"] if each["name"] == node)
        client = RealClient(jid, "secret", address, ps["ca_file"])
        client.see("session", jid=jid)
        return client

    def reader(self, domain: str, link: str) -> str:
        """The node of the domain that reads what comes from that other one."""
        folder = LabFolder(next((self.folder / LABS).iterdir()))
        with redis.Redis.from_url(folder.secrets()[ADMIN]) as admin:
            found: bytes | None = admin.hget(Keys.of_lab(folder.name).nodes(domain).readers, link)
        assert found
        return found.decode().partition("#")[0]


@pytest.fixture(scope="module", params=DRIVERS)
def lab(request: pytest.FixtureRequest) -> Iterator[NodesLab]:
    for lab in running(request, "nodes"):
        yield NodesLab(lab.folder, lab.topology, lab.driver)


def available(client: RealClient) -> RealClient:
    client.do("presence")
    client.see("presence", type="available", from_=client.jid)
    return client


def bodies(client: RealClient, count: int) -> list[str]:
    return [client.see("message", type="chat")["body"] for _ in range(count)]


def test_clients_of_one_account_at_two_nodes(lab: NodesLab, stage: ExitStack) -> None:
    here = available(stage.enter_context(lab.at("s1", "romeo@montague.lit/pda")))
    there = available(stage.enter_context(lab.at("s1-2", "romeo@montague.lit/home")))
    juliet = available(stage.enter_context(lab.at("s2-2", "juliet@capulet.lit/balcony")))
    here.see("presence", type="available", from_="romeo@montague.lit/home")
    juliet.see("presence", type="available", from_="romeo@montague.lit/home")
    juliet.do("message", to="romeo@montague.lit", body="both")
    assert bodies(here, 1) == bodies(there, 1) == ["both"]
    there.do("message", to="juliet@capulet.lit", body="it is the east")
    assert juliet.see("message")["from"] == "romeo@montague.lit/home"
    there.do("roster")
    assert set(there.see("roster")["items"]) == {"juliet@capulet.lit", "benvolio@montague.lit"}
    there.do("quit")
    here.see("presence", type="unavailable", from_="romeo@montague.lit/home")


def test_a_node_that_hangs_gives_up_its_links(lab: NodesLab, stage: ExitStack) -> None:
    romeo = available(stage.enter_context(lab.at("s1", "romeo@montague.lit/pda")))
    juliet_at = "s2"
    juliet = available(stage.enter_context(lab.at(juliet_at, "juliet@capulet.lit/balcony")))
    romeo.do("message", to="juliet@capulet.lit/balcony", body="first")
    assert bodies(juliet, 1) == ["first"]
    reader = lab.reader("capulet.lit", "montague.lit")
    if reader == juliet_at:
        juliet.do("quit")
        juliet_at = "s2-2"
        juliet = available(stage.enter_context(lab.at(juliet_at, "juliet@capulet.lit/chamber")))
    to = f"juliet@capulet.lit/{'balcony' if juliet_at == 's2' else 'chamber'}"
    lab.command("pause", reader)
    for number in range(20):
        romeo.do("message", to=to, body=str(number))
    assert bodies(juliet, 20) == [str(number) for number in range(20)]
    assert lab.reader("capulet.lit", "montague.lit") == juliet_at
    lab.command("resume", reader)
    lab.until_running(reader, restarts=1)  # it was fenced, so it begins anew
    romeo.do("message", to=to, body="last")
    assert bodies(juliet, 1) == ["last"]
    assert juliet.unseen("message") == []


def test_what_a_dead_node_had_is_at_another(lab: NodesLab, stage: ExitStack) -> None:
    romeo = available(stage.enter_context(lab.at("s1-2", "romeo@montague.lit/home")))
    juliet = available(stage.enter_context(lab.at("s2", "juliet@capulet.lit/balcony")))
    juliet.see("presence", type="available", from_="romeo@montague.lit/home")
    lab.command("pause", "s1-2")
    juliet.see("presence", type="unavailable", from_="romeo@montague.lit")
    again = available(stage.enter_context(lab.at("s1", "romeo@montague.lit/pda")))
    juliet.do("message", to="romeo@montague.lit", body="where are you?")
    assert bodies(again, 1) == ["where are you?"]
    lab.command("resume", "s1-2")
    lab.until_running("s1-2", restarts=1)
    romeo.see("disconnected")


def test_the_number_of_nodes_changes_while_messages_flow(lab: NodesLab, stage: ExitStack) -> None:
    romeo = available(stage.enter_context(lab.at("s1", "romeo@montague.lit/pda")))
    juliet = available(stage.enter_context(lab.at("s2", "juliet@capulet.lit/balcony")))
    sent = 0
    for wish in ("s2=4", "s2=1", "s2=2"):
        for _ in range(50):
            romeo.do("message", to="juliet@capulet.lit/balcony", body=str(sent))
            sent += 1
        lab.command("scale", wish)
    assert bodies(juliet, sent) == [str(number) for number in range(sent)]
    assert juliet.unseen("message") == []
    assert [node["name"] for node in lab.ps()["nodes"]] == ["redis", "s1", "s1-2", "s2", "s2-2"]
