"""The modules in docs/writing-a-module.md work as the page says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cluster import modules
from cluster.host.disco import INFO
from cluster.host.module import Module
from cluster.server.context import ServerModule
from cluster.xmpp.element import Element
from tests.live.running_lab import ROOT
from tests.network import CAPULET, Network
from tests.phone import Phone, managed, resume

JULIET = "juliet@capulet.lit/balcony"


def example(name: str) -> ServerModule:
    page = (ROOT / "docs" / "writing-a-module.md").read_text()
    for source in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        names: dict[str, Any] = {}
        exec(compile(source, f"writing-a-module.md: {name}", "exec"), names)
        module = names["module"]
        if module.name == name:
            assert isinstance(module, Module)
            return module
    raise AssertionError(f"the page has no module {name}")


def network_with(module: ServerModule) -> Network:
    others = tuple(name for name in modules.defaults() if name != module.name)
    return Network(loaded=[*modules.load(others), module])


def test_the_first_one_answers_pings() -> None:
    network = network_with(example("ping"))
    juliet = network.client(JULIET)
    network.say(juliet, "<iq type='get' id='1' to='capulet.lit'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert juliet.take() == ["iq/result capulet.lit 1"]


def asked(network: Network, client: Phone, id: int, query: str) -> Element:
    """The answer's child."""
    network.say(client, f"<iq type='get' id='{id}'>{query}</iq>")
    [answer] = [element for element in client.got if element.get("id") == str(id)]
    return answer[0]


def visits(network: Network, client: Phone, id: int) -> str:
    return asked(network, client, id, "<visits xmlns='urn:example:visits'/>").get("count", "")


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_the_one_with_state_counts_each_session_once(how: str) -> None:
    network = network_with(example("visits"))
    juliet = managed(network, JULIET)
    network.say(juliet, "<presence><show>away</show></presence>")
    assert visits(network, juliet, 1) == "1"
    assert visits(network, managed(network, "juliet@capulet.lit/chamber"), 1) == "2"
    if how == "kill":
        network.kill(CAPULET)
        network.start(CAPULET)
    else:
        network.restart(CAPULET)
    again = resume(network, JULIET, juliet.sm_id, juliet.handled)
    network.say(again, "<presence/>")
    assert visits(network, again, 2) == "2"
    about = asked(network, again, 3, f"<query xmlns='{INFO}'/>")
    assert [dict(each.items()) for each in about.findall(f"{{{INFO}}}identity")] == [
        {"category": "account", "type": "registered"},
        {"category": "pubsub", "type": "pep"},
        {"category": "automation", "type": "visits"},
    ]
