"""Faults of the lab's message centre: how they are set, shown and cleared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.gateways.sms.world import World


def test_faults_add_up_and_are_shown(world: World) -> None:
    ask = world.start_smsc().administration
    assert world.run(ask.fault_set(delay_s=2)) == {"delay_s": 2.0}
    assert world.run(ask.fault_set(refuse="ESME_RSYSERR")) == {"delay_s": 2.0, "refuse": "ESME_RSYSERR"}
    assert world.run(ask.fault_ls()) == {"delay_s": 2.0, "refuse": "ESME_RSYSERR"}
    world.run(ask.fault_clear())
    assert world.run(ask.fault_ls()) == {}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"refuse": "ESME_NO"}, "'ESME_NO' is not a command_status"),
        ({"refuse": "ESME_ROK"}, "'ESME_ROK' is not a command_status"),
        ({"delay_s": -1.0}, "not negative"),
        ({"max_per_s": "x"}, "Expected `float`"),
        ({"loss": 1}, "(faults: down, delay_s, max_per_s, refuse)"),
    ],
)
def test_what_is_no_fault(world: World, given: dict[str, Any], why: str) -> None:
    ask = world.start_smsc().administration
    with pytest.raises(ValueError, match=why):
        world.run(ask.fault_set(**given))
    assert world.run(ask.fault_ls()) == {}
