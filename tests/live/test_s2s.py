"""Two of our own domains whose link is XML streams between the servers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import RunningLab
from tests.live.verify_runs import TOPOLOGY, scenario, verify

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
LINK = "links:\n  - {between: [s1, s2], transport: s2s}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("s2s")
    topology = folder / "two-domains.yaml"
    topology.write_text(TOPOLOGY.read_text() + LINK + "trace: {probes_per_minute: 0}\n")
    yield from RunningLab(folder, topology).while_up()


def test_contacts_chat_over_streams_that_the_labs_certificates_secure(lab: RunningLab) -> None:
    with lab.client(ROMEO) as romeo, lab.client(JULIET) as juliet:
        for client in (romeo, juliet):
            client.see("session")
            client.do("presence")
        juliet.see("presence", lambda seen: seen["from"].startswith(ROMEO))
        romeo.see("presence", lambda seen: seen["from"].startswith(JULIET))
        lab.command("send", "romeo", "juliet", "But, soft!")
        juliet.see("message", body="But, soft!")
        lab.command("send", "juliet", "romeo", "Ay me!")
        romeo.see("message", body="Ay me!")
    logs = lab.command("logs")
    for told in (
        "stream to capulet.lit: EXTERNAL, TLS",
        "stream from montague.lit to capulet.lit: EXTERNAL, TLS",
        "stream to montague.lit: EXTERNAL, TLS",
    ):
        assert told in logs


def test_a_probe_shows_its_way(lab: RunningLab) -> None:
    hops = json.JSONDecoder().raw_decode(lab.command("trace", ROMEO, JULIET, "--format", "json"))[0]
    assert [(hop["node"], hop["event"]) for hop in hops[1:-1]] == [
        ("s1", "received"),
        ("s1", "routed"),
        ("router", "enqueued"),
        ("router", "dequeued"),
        ("s2", "delivered"),
    ]


def test_what_comes_back_says_why(lab: RunningLab) -> None:
    said = lab.command("send", "romeo", "nobody@capulet.lit", "x", exit_code=1)
    assert said == "xmpplab: the message to nobody@capulet.lit was returned: service-unavailable\n"


@pytest.mark.parametrize("step", ["kill: s2, for: 500ms", "pause: s2, for: 1s", "partition: [s1, s2], for: 1s"])
def test_nothing_is_lost_or_comes_twice(lab: RunningLab, step: str) -> None:
    report = verify(lab, scenario(lab, f"steps: [{{at: 1s, {step}}}]", flow="rate: 1000", topology=None))
    counts = report["total"]
    assert (counts["sent"], counts["delivered"]) == (3000, 3000)
    assert report["broken"] == []


def test_a_sender_that_is_killed_loses_nothing(lab: RunningLab) -> None:
    """What it had sent and not yet told its client of comes twice: its client sends it again."""
    file = scenario(lab, "steps: [{at: 1s, kill: s1, for: 500ms}]", "promises: {duplicated: 900}", topology=None)
    counts = verify(lab, file)["total"]
    assert (counts["delivered"], counts["lost"], counts["out_of_order"]) == (900, 0, 0)


def test_faults_are_those_of_any_link(lab: RunningLab) -> None:
    lab.command("fault", "set", "s1", "s2", "--delay", "300ms")
    try:
        began_s = time.monotonic()
        lab.command("trace", ROMEO, JULIET)
        assert time.monotonic() - began_s >= 0.3
    finally:
        lab.command("fault", "clear", "s1", "s2")


def test_in_clear_they_dial_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("clear")
    topology = folder / "clear.yaml"
    topology.write_text(TOPOLOGY.read_text() + LINK + "defaults: {tls: off}\n")
    lab = RunningLab(folder, topology)
    lab.up()
    try:
        lab.command("trace", ROMEO, JULIET)
        assert wait_until(lambda: "stream to capulet.lit: dialback, in clear" in lab.command("logs"), PATIENCE_S)
    finally:
        lab.down()
