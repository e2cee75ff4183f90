"""Links of one stream for both directions (XEP-0288): two servers of ours, and ours with Prosody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.kinds.prosody import PROSODY
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import RunningLab
from tests.live.verify_runs import scenario, verify

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
TOPOLOGY = """\
name: {name}
servers:
  s1: {{domain: montague.lit}}
  s2: {{domain: capulet.lit, kind: {kind}}}
links: [{{between: [s1, s2], transport: bidi}}]
accounts:
  {romeo}: {{contacts: [{juliet}]}}
  {juliet}:
trace: {{probes_per_minute: 0}}
"""


@pytest.fixture(scope="module", params=["xmpplab", pytest.param("prosody", marks=pytest.mark.skipif(
    bool(PROSODY.missing), reason=PROSODY.missing
))])  # fmt: skip
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp(request.param)
    topology = folder / "both-ways.yaml"
    name = f"bidi-{request.param}"
    topology.write_text(TOPOLOGY.format(name=name, kind=request.param, romeo=ROMEO, juliet=JULIET))
    yield from RunningLab(folder, topology).while_up()


def test_who_opens_a_stream_is_answered_over_it(lab: RunningLab) -> None:
    """The first traffic of the lab is capulet's."""
    lab.command("send", JULIET, ROMEO, "Ay me!")
    opened = "stream from capulet.lit to montague.lit: EXTERNAL, TLS, both ways"
    assert wait_until(lambda: opened in lab.command("logs", "s1"), PATIENCE_S), lab.command("logs", "s1")
    lab.command("send", ROMEO, JULIET, "But, soft!")
    with lab.client(JULIET) as juliet:
        juliet.see("session")
        juliet.do("presence")
        juliet.see("message", body="But, soft!")
    assert "stream to capulet.lit" not in lab.command("logs", "s1")


def test_contacts_chat_over_one_stream(lab: RunningLab) -> None:
    with lab.client(ROMEO) as romeo, lab.client(JULIET) as juliet:
        for client in (romeo, juliet):
            client.see("session")
            client.do("presence")
        juliet.see("presence", lambda seen: seen["from"].startswith(ROMEO))
        romeo.see("presence", lambda seen: seen["from"].startswith(JULIET))
        for number in range(20):
            romeo.do("message", to=JULIET, body=f"romeo {number}")
            juliet.do("message", to=ROMEO, body=f"juliet {number}")
        for number in range(20):
            juliet.see("message", body=f"romeo {number}")
            romeo.see("message", body=f"juliet {number}")

    def told() -> bool:
        logs = lab.command("logs", "s1")
        return "stream to capulet.lit: EXTERNAL, TLS, both ways" in logs or (
            "stream from capulet.lit to montague.lit: EXTERNAL, TLS, both ways" in logs
        )

    assert wait_until(told, PATIENCE_S), lab.command("logs", "s1")


@pytest.mark.parametrize("step", ["kill: s2, for: 500ms", "pause: s2, for: 1s"])
def test_nothing_is_lost(lab: RunningLab, step: str) -> None:
    if "xmpplab" not in lab.name:
        pytest.skip("its accounts are not those of a flow")
    file = scenario(lab, f"steps: [{{at: 1s, {step}}}]", "promises: {duplicated: 3000}", topology=None)
    counts = verify(lab, file)["total"]
    assert counts["lost"] == 0
