"""Link faults: declared in a topology, and changed by the command while the lab runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.lab.errors import BadInput
from cluster.lab.faults import LinkFaults
from cluster.lab.folder import ADMIN, LABS, LabFolder
from cluster.lab.provision.announcement import announcement
from cluster.lab.provision.redis import move_in
from cluster.lab.redis_client import connected
from cluster.lab.wait import wait_until
from cluster.redisio.keys import Keys
from cluster.topology.plan import LinkSeed
from tests.harness import PATIENCE_S, Valkey
from tests.live.running_lab import RunningLab
from tests.unit.lab.plan import make_plan

pytestmark = pytest.mark.live

TOPOLOGY = """
name: broken
servers: {s1: {domain: montague.lit}, s2: {domain: capulet.lit}}
accounts: {romeo@montague.lit: {contacts: [juliet@capulet.lit]}, juliet@capulet.lit: }
links: [{between: [s1, s2], delay: 50ms}, {from: s2, to: s1, jitter: 1ms}]
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    """With a delay both ways."""
    topology = tmp_path / "broken.yaml"
    topology.write_text(TOPOLOGY)
    lab = RunningLab(tmp_path, topology)
    lab.up()
    yield lab
    if (tmp_path / LABS).exists():
        lab.down()


def listed(lab: RunningLab) -> dict[str, dict[str, str]]:
    links = json.loads(lab.command("fault", "ls", "--format", "json"))
    return {f"{link['from']} {link['to']}": link["faults"] for link in links}


def hops(lab: RunningLab, exit_code: int = 0) -> list[dict[str, Any]]:
    shown = lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit", "--format", "json", exit_code=exit_code)
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(shown)[0]
    return found


def on_the_link_ms(lab: RunningLab) -> float:
    found = {hop["event"]: hop["offset_ms"] for hop in hops(lab) if hop["node"] == "router"}
    return float(found["dequeued"] - found["enqueued"])


def test_faults_of_the_topology_set_merged_and_cleared(lab: RunningLab) -> None:
    assert listed(lab) == {"s1 s2": {"delay": "50ms"}, "s2 s1": {"delay": "50ms", "jitter": "1ms"}}
    assert on_the_link_ms(lab) >= 49  # Redis knows the time of sending in ms
    assert lab.command("fault", "set", "s1", "s2", "--loss", "100%") == "s1 → s2: delay 50ms, loss 100%\n"
    assert [hop["event"] for hop in hops(lab, exit_code=1)][-2:] == ["enqueued", "lost"]
    assert "s1 → s2: delay 50ms, loss 100% (1 lost so far)" in lab.command("fault", "ls")
    lab.command("restart", "s2")
    assert hops(lab, exit_code=1)[-1]["event"] == "lost"
    lab.command("fault", "set", "montague.lit", "capulet.lit", "--both", "--loss", "none", "--delay", "80ms")
    assert listed(lab) == {"s1 s2": {"delay": "80ms"}, "s2 s1": {"delay": "80ms", "jitter": "1ms"}}
    assert on_the_link_ms(lab) >= 79
    assert lab.command("fault", "clear", "s2", "s1") == "s2 → s1: no faults\n"
    assert lab.command("fault", "clear") == "s1 → s2: no faults\n"
    assert [hop["event"] for hop in hops(lab)][-2:] == ["delivered", "received"]
    assert lab.command("fault", "clear") == "no link has a fault\n"


def test_a_partition_while_the_lab_runs(lab: RunningLab) -> None:
    with lab.client("juliet@capulet.lit/balcony") as juliet, lab.client("romeo@montague.lit/pda") as romeo:
        for client in (juliet, romeo):
            client.see("session")
        lab.command("fault", "set", "s1", "s2", "--down", "always")
        for number in range(5):
            romeo.do("message", to="juliet@capulet.lit/balcony", body=str(number))
        state = LabFolder(lab.folder / LABS / "broken")
        link = Keys.of_lab("broken").link("capulet.lit", "montague.lit")
        assert wait_until(lambda: b"<body>4</body>" in waiting(state, link), PATIENCE_S)
        assert juliet.unseen("message") == []
        lab.command("fault", "clear", "s1", "s2")
        assert [juliet.see("message")["body"] for _ in range(5)] == [str(number) for number in range(5)]


def waiting(folder: LabFolder, link: str) -> bytes:
    """The bytes of what is not acknowledged."""
    with connected(folder.secrets()[ADMIN]) as redis:
        return b"".join(batch for _, fields in redis.xrange(link) for batch in fields.values())


@pytest.fixture
def stopped(valkey: Valkey, keys: Keys) -> Iterator[LabFolder]:
    """A lab whose Redis runs, and none of its servers."""
    path = Path(tempfile.mkdtemp(prefix="xmpplab-"))
    plan = make_plan(path, name=keys.prefix.removeprefix("xmpplab:"), redis_url=valkey.url)
    folder = LabFolder(path)
    folder.create()
    folder.save_plan(plan)
    move_in(folder, plan)
    yield folder
    shutil.rmtree(path)


def test_a_change_that_no_reader_heard_says_so(stopped: LabFolder) -> None:
    (changed,) = LinkFaults(stopped).set("s1", "s2", {"delay": "1s"})
    assert (changed.heard_by, changed.faults) == (0, {"delay": "1s"})
    assert [link.faults for link in LinkFaults(stopped).ls()] == [{"delay": "1s"}]


def test_times_are_counted_from_now(stopped: LabFolder) -> None:
    (changed,) = LinkFaults(stopped).set("s1", "s2", {"down": "60s..120s"})
    assert changed.faults["down"].endswith("..2m")


@pytest.mark.parametrize(
    ("from_", "to", "given", "remedy"),
    [
        (
            "s1",
            "s9",
            {"delay": "1s"},
            r"no server 's9' in this lab \(servers: s1 \(montague.lit\), s2 \(capulet.lit\)\)",
        ),
        ("s1", "s1", {"delay": "1s"}, "s1 cannot have a link to itself"),
        ("s1", "s2", {"delay": "1"}, "delay: '1' is not allowed here; write a time such as 40ms"),
        ("s1", "s2", {"lag": "1s"}, r"no fault 'lag' \(faults: delay"),
    ],
)
def test_what_cannot_be_set_says_why(
    stopped: LabFolder, from_: str, to: str, given: dict[str, str], remedy: str
) -> None:
    with pytest.raises(BadInput, match=remedy):
        LinkFaults(stopped).set(from_, to, given)


def test_a_lab_that_comes_up_again_has_the_faults_of_its_topology_and_no_others(
    stopped: LabFolder, valkey: Valkey
) -> None:
    LinkFaults(stopped).set("s1", "s2", {"delay": "1s"}, both=True)
    plan = make_plan(stopped.path, name=stopped.plan().name)
    plan = type(plan)(
        plan.name, plan.topology, plan.state_dir, plan.servers,
        links=(LinkSeed("montague.lit", "capulet.lit", {"loss": 0.01, "down": [[10, 20]]}),),
    )  # fmt: skip
    for command in announcement(plan, 1_000.0):
        valkey.admin.execute_command(*command)
    raw = valkey.admin.hgetall(Keys.of_lab(plan.name).faults("capulet.lit"))
    assert {from_: json.loads(each) for from_, each in raw.items()} == {
        b"montague.lit": {"seed": "0", "faults": {"loss": 0.01, "down": [[1_010, 1_020]]}}
    }
    assert valkey.admin.exists(Keys.of_lab(plan.name).faults("montague.lit")) == 0
