"""Servers are killed under a flow of messages between real clients on managed streams (XEP-0198).

Nothing is lost, nothing arrives twice, and the order is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import pytest
import redis

from cluster.lab.folder import ADMIN, LABS, LabFolder
from tests.live.clients import RealProgram
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"
ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"
COUNT, PER_SECOND = 900, 300.0
LINK = "link:{capulet.lit}:montague.lit"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Whatever is killed here comes back."""
    lab = RunningLab(tmp_path_factory.mktemp("resume"), TOPOLOGY)
    for _ in lab.while_up():
        lab.command("user", "add", "benvolio@montague.lit", "--password", "secret")
        yield lab


class FlowClient(RealProgram):
    """One `slixmpp_flow.py`."""

    def __init__(self, lab: RunningLab, jid: str) -> None:
        host, _, port = lab.node(jid.partition("/")[0].partition("@")[2])["c2s"].rpartition(":")
        super().__init__("slixmpp_flow.py", jid, "secret", host, port, lab.ps()["ca_file"])

    def __enter__(self) -> Self:
        super().__enter__()
        self.see("managed")
        self.do("presence")
        return self

    def until(self, count: int) -> None:
        """It has got so many messages."""
        self.do("want", count=count)
        self.see("got so many", count=count)

    def bodies(self) -> list[str]:
        """Of all that it got."""
        self.do("show")
        return [body for body, _ in self.see("got")["messages"]]


Disturb = Callable[[RunningLab, FlowClient, FlowClient], None]


def kill_s1(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    lab.command("kill", "s1")
    romeo.see("resumed")


def kill_s2(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    lab.command("kill", "s2")
    juliet.see("resumed")


def kill_both(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    lab.command("kill", "s2")
    lab.command("kill", "s1")
    romeo.see("resumed")
    juliet.see("resumed")


def restart_both(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    lab.command("restart", "s1")
    lab.command("restart", "s2")
    romeo.see("resumed")
    juliet.see("resumed")


def kill_redis(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    lab.command("kill", "redis")


def cut_the_receiver(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    juliet.do("cut")
    juliet.see("resumed")


def cut_the_sender(lab: RunningLab, romeo: FlowClient, juliet: FlowClient) -> None:
    romeo.do("cut")
    romeo.see("resumed")


@pytest.mark.parametrize(
    ("disturb", "to"),
    [
        (kill_s1, "juliet@capulet.lit"),
        (cut_the_receiver, JULIET),
        (kill_s2, JULIET),
        (kill_redis, JULIET),
        (kill_both, "juliet@capulet.lit"),
        (cut_the_sender, JULIET),
        (restart_both, JULIET),
        (cut_the_receiver, "juliet@capulet.lit"),
        (kill_s2, "juliet@capulet.lit"),
    ],
)
def test_a_flow_goes_on(lab: RunningLab, to: str, disturb: Disturb) -> None:
    """To a client, and to an account: its server decides anew for what comes while the client is away."""
    with FlowClient(lab, JULIET) as juliet, FlowClient(lab, ROMEO) as romeo:
        romeo.do("flow", to=to, count=COUNT, per_second=PER_SECOND)
        for number in (1, 2):
            juliet.until(number * COUNT // 4)
            disturb(lab, romeo, juliet)
        romeo.see("flowed")
        juliet.until(COUNT)
        romeo.do("message", to=to, body="the end")
        juliet.until(COUNT + 1)
        assert juliet.bodies() == [*map(str, range(COUNT)), "the end"]
        assert romeo.bodies() == []


@pytest.mark.parametrize("disturb", [kill_s1, cut_the_receiver])
def test_a_flow_within_one_domain_goes_on(lab: RunningLab, disturb: Disturb) -> None:
    with FlowClient(lab, "benvolio@montague.lit/orchard") as benvolio, FlowClient(lab, ROMEO) as romeo:
        romeo.do("flow", to="benvolio@montague.lit", count=COUNT, per_second=PER_SECOND)
        for number in (1, 2):
            benvolio.until(number * COUNT // 4)
            disturb(lab, romeo, benvolio)
            if disturb is kill_s1:
                benvolio.see("resumed")
        romeo.see("flowed")
        benvolio.until(COUNT)
        romeo.do("message", to="benvolio@montague.lit", body="the end")
        benvolio.until(COUNT + 1)
        assert benvolio.bodies() == [*map(str, range(COUNT)), "the end"]


def test_the_order_of_commands_makes_a_crash_harmless(lab: RunningLab) -> None:
    """As Redis sees them: whoever is killed in between has done a part from the beginning, and nothing after it."""
    folder = LabFolder(lab.folder / LABS / "two-domains")
    with (
        FlowClient(lab, JULIET) as juliet,
        FlowClient(lab, ROMEO) as romeo,
        redis.Redis.from_url(folder.secrets()[ADMIN]) as admin,
        admin.monitor() as monitor,
    ):
        romeo.see("presence", from_=JULIET)
        juliet.see("presence", from_=ROMEO)
        romeo.do("flow", to=JULIET, count=1, per_second=1.0)
        entry, seen = "", list[tuple[str, str]]()
        for command in monitor.listen():
            name, key, *rest = [*command["command"].split(), "", ""]
            key = key.partition(":two-domains:")[2]
            if key.startswith(LINK) and name == "XADD" and "<body>0</body>" in command["command"]:
                entry = rest[0]
            elif entry and (name not in ("XDEL", "XACK") or entry in rest):  # others go to entries of before
                seen.append((name, key.partition(":session:")[0]))
            if entry and name == "XACK" and key.startswith(LINK) and entry in rest:
                break
        juliet.until(1)
    s1, s2 = "store:{montague.lit}", "store:{capulet.lit}"
    # what S1 counts as handled comes after what makes it safe, and not so much as a reply away
    own = [each for each in seen if each[1].startswith(s1)]
    assert own[:1] == [("HSET", f"{s1}:sessions")]
    # what S2 takes out of the link it has kept for the client, and knows how many that were
    kept = seen.index(("HSET", s2))
    assert kept < seen.index(("HSET", f"{s2}:sessions"), kept) < seen.index(("XDEL", LINK)) < seen.index(("XACK", LINK))
