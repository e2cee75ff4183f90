"""Links over XML streams: the code of a lab, over the simulated network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.simulation import s2s
from cluster.simulation.api import RouterKind, simulate
from cluster.virtual.transport import Transport
from tests.unit.simulation.plans import named, written

TOPOLOGY = """
name: streams
servers:
  s1: {{domain: montague.lit, nodes: 2, tls: {tls}}}
  s2: {{domain: capulet.lit, tls: {tls}}}
  s3: {{domain: shakespeare.lit}}
links:
  - {{between: [s1, s2], transport: {transport}}}
"""
EXTERNAL = b"mechanism='EXTERNAL'"
DIALBACK = b"<db:result "


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is sent over all connections."""
    found: list[bytes] = []
    send = Transport._send

    def noted(transport: Transport, item: Any, size_bytes: int) -> None:
        if isinstance(item, bytes):
            found.append(item)
        send(transport, item, size_bytes)

    monkeypatch.setattr(Transport, "_send", noted)
    return found


def has(sent: list[bytes], text: bytes) -> bool:
    return any(text in each for each in sent)


@pytest.mark.parametrize("router", ["memory", "redis"])
@pytest.mark.parametrize("transport", ["s2s", "bidi"])
def test_everything_arrives_once_and_in_order(
    transport: str, router: RouterKind, tmp_path: Path, sent: list[bytes]
) -> None:
    plan = written(TOPOLOGY.format(tls="required", transport=transport), tmp_path)
    report = simulate(plan, duration_s=120, people=9, router=router)
    assert report.broken == []
    assert report.messages.sent == report.messages.delivered > 3
    assert has(sent, EXTERNAL)
    assert not has(sent, DIALBACK), "the certificates are valid"
    assert has(sent, b"urn:xmpp:bidi'") == (transport == "bidi")


def test_dialback_without_tls(tmp_path: Path, sent: list[bytes]) -> None:
    report = simulate(written(TOPOLOGY.format(tls="off", transport="s2s"), tmp_path), duration_s=90, people=9)
    assert report.broken == []
    assert has(sent, DIALBACK)
    assert not has(sent, EXTERNAL)


def test_dialback_with_the_certificate_of_somebody_else(
    tmp_path: Path, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = s2s.ModelledTls(["escalus.lit"])
    monkeypatch.setattr(s2s, "ModelledTls", lambda domains: shown)
    report = simulate(written(TOPOLOGY.format(tls="required", transport="s2s"), tmp_path), duration_s=90, people=9)
    assert report.broken == []
    assert has(sent, DIALBACK)


@pytest.mark.usefixtures("first_kinds")
def test_nothing_is_lost_where_nodes_crash_and_links_are_down() -> None:
    report = simulate(named("s2s"), seed=3, duration_s=300, people=12, troubles=6)
    assert report.broken == []
    assert report.messages.duplicated_over_streams == 1, "S2 crashed before it had acknowledged the message"
