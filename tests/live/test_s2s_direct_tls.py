"""Servers of three projects whose streams to each other begin with TLS (XEP-0368)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab

MISSING = PROSODY.missing or EJABBERD.missing
pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(MISSING), reason=MISSING)]
ROMEO, JULIET, MERCUTIO = "romeo@montague.lit", "juliet@capulet.lit", "mercutio@escalus.lit"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("direct")
    topology = folder / "direct.yaml"
    mixed = (ROOT / "topologies" / "mixed.yaml").read_text()
    topology.write_text(mixed.replace("name: mixed", "name: direct\ndefaults: {s2s_direct_tls_port: 5270}"))
    yield from RunningLab(folder, topology).while_up()


@pytest.mark.parametrize("to", [JULIET, MERCUTIO])
def test_ours_begins_with_tls(lab: RunningLab, to: str) -> None:
    lab.command("send", ROMEO, to, "hi")
    domain = to.partition("@")[2]
    assert wait_until(lambda: f"stream to {domain}: EXTERNAL, direct TLS" in lab.command("logs", "s1"), PATIENCE_S)


@pytest.mark.parametrize(("from_", "how"), [(JULIET, "EXTERNAL, direct TLS"), (MERCUTIO, "EXTERNAL, ")])
def test_ours_is_reached_so(lab: RunningLab, from_: str, how: str) -> None:
    """Prosody prefers direct TLS; ejabberd 23 takes the records of either service."""
    lab.command("send", from_, ROMEO, "hi")
    told = f"stream from {from_.partition('@')[2]} to montague.lit: {how}"
    assert wait_until(lambda: told in lab.command("logs", "s1"), PATIENCE_S)


@pytest.mark.parametrize("domain", ["montague.lit", "capulet.lit", "escalus.lit"])
def test_the_check_finds_the_records_and_the_port(lab: RunningLab, domain: str) -> None:
    told = json.loads(lab.command("check", domain, "--format", "json"))
    steps = {(each["side"], each["name"]): each for each in told}
    assert f"_xmpps-server {domain}:5270, _xmpp-server {domain}:5269" in steps["names", "SRV"]["found"]
    assert ":5270, TLSv1.3" in steps["servers", "direct TLS"]["found"]
    assert all(each["ok"] for each in told)
