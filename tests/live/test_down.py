"""Taking a lab down is a clean goodbye: RFC 6120 section 4.4, and nothing is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login, StreamFailed
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live


def test_clients_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "two-domains.yaml")
    lab.up()
    host, _, port = lab.node("montague.lit")["c2s"].rpartition(":")
    login = Login(Jid.parse("romeo@montague.lit/pda"), "secret")
    with BlockingClient((host, int(port)), login, lab.ps()["ca_file"]) as romeo, ThreadPoolExecutor() as pool:
        down = pool.submit(lab.down)
        with pytest.raises(StreamFailed, match="system-shutdown"):
            romeo.receive(PATIENCE_S)
        down.result()
    assert list(tmp_path.iterdir()) == []
