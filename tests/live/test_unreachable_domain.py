"""What becomes of stanzas for a domain whose server does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.ours import site_of
from tests.conformance.wire import error_of
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live


def test_an_unreachable_domain(tmp_path: Path) -> None:
    """What its server has no room for comes back as remote-server-timeout; what had room arrives, in order."""
    topology = tmp_path / "unreachable.yaml"
    topology.write_text(
        "name: unreachable\ndefaults: {tls: off, registration: open}\nrouter: {max_backlog: 5}\n"
        "servers:\n  s1: {domain: montague.lit}\n  s2: {domain: capulet.lit}\n  s3: {domain: shakespeare.lit}\n"
    )
    lab = RunningLab(tmp_path, topology)
    lab.up()
    site = site_of(lab)
    try:
        sender, receiver = site.client(), site.online(site.there)
        lab.command("pause", "s2")
        refused = []
        while not refused:  # each in a batch of its own, so that five of them fill the link
            sender.send(f"<message to='{receiver.jid}' id='m'><body>are you there?</body></message>")
            refused = [stanza for stanza in sender.sync() if stanza.get("id") == "m"]
        assert error_of(refused[0]) == ("wait", "remote-server-timeout")
        lab.command("resume", "s2")
        for _ in range(5):
            receiver.until(lambda child: child.get("id") == "m")
    finally:
        site.close_clients()
        lab.down()
