"""Labs of unusual topologies, brought up: not every two servers are joined, and every name is a strange one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

STAR = """\
name: star
servers:
  s1: {domain: montague.lit, nodes: 2}
  s2: {domain: capulet.lit}
  s3: {domain: shakespeare.lit}
accounts:
  romeo@montague.lit: {contacts: [juliet@capulet.lit, falstaff@shakespeare.lit]}
  juliet@capulet.lit:
  falstaff@shakespeare.lit:
mesh: false
links:
  - {between: [s1, s3]}
  - {between: [s2, s3]}
"""
LABEL, MAIL, PASSWORD = "a" * 60, "\u00fc!#$*=?^_`{|}~-", "\u00e9" * 511
STRANGE = f"""\
name: {"x" * 63}
servers:
  s1: {{domain: \u00fcnicode.lit, nodes: 2, c2s_port: 65535, http_port: 1024, direct_tls_port: 5347}}
  s2: {{domain: 0-1.2a.lit}}
  s3: {{domain: {LABEL}.{LABEL}.{LABEL}.{LABEL}.lit, modules: [], roster_bytes: 0}}
  s4: {{domain: x, tls: off}}
accounts:
  "\u00fcnicode*[x]@\u00fcnicode.lit": {{contacts: [{{jid: r@x, name: "<&>\\n'"}}], password: "{PASSWORD}"}}
  r@x:
gateways:
  {"g" * 63}: {{kind: sms, domain: sms.x, server: s4, network: fn1, number: '00', secret: "\u00dcnicode : secret"}}
  g2:
    kind: mail
    domain: mail.x
    server: s4
    network: fn2
    secret: "\U0001f511"
    aliases: {{"{MAIL}@\u00fcnicode.example": r@x}}
    mail_for: [\u00fcnicode.lit]
networks:
  fn1: {{kind: smsc, phones: {{fc1: '+3933312'}}}}
  fn2: {{kind: mailhost, mailboxes: {{fc2: "{MAIL}@abbey.example"}}}}
components: {{\u00fc.x: {{server: s4, secret: "\\0"}}}}
mesh: false
links: [{{between: [s1, s4], delay: 10080m, rate: 1B/s}}]
trace: {{journal_bytes: {10**18 - 1}, sample_every: {10**18 - 1}, probes_per_minute: 0}}
router: {{max_backlog: {10**18 - 1}, seed: {10**18 - 1}}}
"""


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    topology = tmp_path / "topology.yaml"
    topology.write_text(request.param, encoding="utf-8")
    yield from RunningLab(tmp_path, topology).while_up()


@pytest.mark.parametrize("lab", [STAR], indirect=True, ids=["star"])
def test_where_no_link_is_a_message_comes_back_and_trace_says_why(lab: RunningLab) -> None:
    reason = "remote-server-not-found: no link leads from montague.lit to capulet.lit"
    assert reason in lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit", exit_code=1)
    reason = "remote-server-not-found: no link leads from capulet.lit to montague.lit"
    assert reason in lab.command("trace", "juliet@capulet.lit", "romeo@montague.lit", exit_code=1)
    for there in ("romeo@montague.lit", "juliet@capulet.lit"):
        assert "received" in lab.command("trace", "falstaff@shakespeare.lit", there)


@pytest.mark.parametrize("lab", [STRANGE], indirect=True, ids=["strange"])
def test_what_is_valid_comes_up_however_strange(lab: RunningLab) -> None:
    nodes = lab.ps()["nodes"]
    assert {node["state"] for node in nodes} == {"running"}
    assert {node["restarts"] for node in nodes} == {0}
