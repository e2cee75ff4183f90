"""Entity time (XEP-0202)."""

from __future__ import annotations

import pytest

from tests.network import Network
from tests.unit.modules.asking import ask

NS = "urn:xmpp:time"


@pytest.mark.parametrize("domain", ["montague.lit", "capulet.lit"])
def test_the_time_of_a_server(network: Network, domain: str) -> None:
    network.advance(3600)
    time = ask(network, network.client("romeo@montague.lit/pda"), "get", f"<time xmlns='{NS}'/>", domain)
    assert [(part.tag, part.text) for part in time] == [
        (f"{{{NS}}}tzo", "+00:00"),
        (f"{{{NS}}}utc", "2023-11-14T23:13:20.125Z"),
    ]
