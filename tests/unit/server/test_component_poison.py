"""A stanza with which a component ends its stream each time: it goes back, and keeps no other from the component."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.server.components.component import MAX_TRIES
from cluster.xmpp.namespaces import CLIENT
from tests.components import ComponentPeer
from tests.network import MONTAGUE, Network
from tests.unit.server.component_network import PHONE, SECRET, SMS, text, with_components


@pytest.fixture
def network() -> Iterator[Network]:
    yield from with_components()


def test_a_stanza_that_ends_the_stream_each_time_goes_back(network: Network) -> None:
    """RFC 6120 section 13.12: and what comes after it is delivered."""
    romeo = network.online("romeo@montague.lit/pda")
    for body in ("1", "poison", "2"):
        network.say(romeo, text(PHONE, body))
    got: list[str] = []
    for _ in range(3 * MAX_TRIES):
        peer = Choosy(network, "poison")
        got += peer.bodies
        if not peer.is_closed:
            break
    assert not peer.is_closed
    assert [body for body in dict.fromkeys(got) if body != "poison"] == ["1", "2"]
    assert romeo.take() == [f"message/error {PHONE}: modify policy-violation"]
    network.say(romeo, text(PHONE, "3"))
    assert "3" in peer.bodies


class Choosy(ComponentPeer):
    """A component that drops its connection when it reads a certain text."""

    def __init__(self, network: Network, poison: str) -> None:
        self._poison = poison.encode()
        super().__init__(network.servers[MONTAGUE].components, SMS, SECRET)
        network.add(self)
        network.settle()

    @property
    def bodies(self) -> list[str]:
        return [each.tree.findtext(f"{{{CLIENT}}}body") or "" for each in self.stanzas]

    def read(self, data: bytes) -> None:
        if self._poison in data:
            self.drop()
        else:
            super().read(data)
