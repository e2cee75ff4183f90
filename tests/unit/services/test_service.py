"""A service that lives in the server, at its own address: a toy of one file, from the client's side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import services
from cluster.host.disco import INFO, ITEMS
from cluster.host.registry import Registry
from cluster.membership.memory import MemoryNodes
from cluster.server.services.service import Service, ServiceContext
from cluster.xmpp.extensions.rsm import RSM
from tests.client import Client
from tests.network import CAPULET, MONTAGUE, Network, watched_log
from tests.unit.services import toys

ECHO = "echo.montague.lit"
ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"
SECOND = "s1-2"


@pytest.fixture
def failures() -> Iterator[list[object]]:
    with watched_log() as failures:
        yield failures
    assert not failures


@pytest.fixture
def network(failures: list[object]) -> Network:
    """montague.lit has the service, and a second node, to which it is elsewhere."""
    [echo] = Registry(toys.__name__, toys.__path__, Service, "service").load(("echo",))
    network = Network(services={ECHO: echo})
    network.add_node(SECOND)
    return network


@pytest.fixture(params=["at its node", "at another node", "of another domain"])
def client(request: pytest.FixtureRequest, network: Network) -> Client:
    if request.param == "of another domain":
        return network.online(JULIET)
    return network.online(ROMEO, at="" if request.param == "at its node" else SECOND)


def say(network: Network, client: Client, stanza: str) -> list[str]:
    client.take()
    network.say(client, stanza)
    network.advance(0.1)
    return client.take()


def message(body: str) -> str:
    return f"<message to='{ECHO}' type='chat' id='1'><body>{body}</body></message>"


def request(payload: str, to: str = ECHO) -> str:
    return f"<iq to='{to}' type='get' id='1'>{payload}</iq>"


def test_a_message_reaches_it_and_its_own_reach_whoever_it_writes_to(network: Network, client: Client) -> None:
    assert say(network, client, message("hello")) == [f"message/chat {ECHO}: hello"]


def test_presence_reaches_it(network: Network, client: Client) -> None:
    assert say(network, client, f"<presence to='{ECHO}'/>") == [f"presence {ECHO}"]
    assert say(network, client, "<presence type='unavailable'/>")[-1:] == [f"presence/unavailable {ECHO}"]


def test_it_describes_itself(network: Network, client: Client) -> None:
    network.say(client, request(f"<query xmlns='{INFO}'/>"))
    network.advance(0.1)
    [reply] = client.stanzas
    query = reply.find(f"{{{INFO}}}query")
    assert query is not None
    [identity] = query.findall(f"{{{INFO}}}identity")
    assert dict(identity.attrib) == {"category": "component", "type": "generic", "name": "Echo"}
    features = [each.get("var") for each in query.findall(f"{{{INFO}}}feature")]
    assert features == [INFO, ITEMS, RSM, "urn:xmpp:ping"]
    assert query.find("{jabber:x:data}x") is not None


def test_its_nodes_describe_themselves(network: Network, client: Client) -> None:
    [line] = say(network, client, request(f"<query xmlns='{INFO}' node='cave'/>"))
    assert line == f"iq/result {ECHO} 1: query"
    client.stanzas.clear()
    network.say(client, request(f"<query xmlns='{ITEMS}' node='cave'/>"))
    network.advance(0.1)
    [reply] = client.stanzas
    [item] = reply.iter(f"{{{ITEMS}}}item")
    assert (item.get("jid"), reply[0].get("node")) == (str(client.jid.bare), "cave")


def test_a_node_that_is_not_there_is_not_found(network: Network, client: Client) -> None:
    [refused] = say(network, client, request(f"<query xmlns='{INFO}' node='nowhere'/>"))
    assert "item-not-found" in refused


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
def test_a_service_without_nodes_has_none(namespace: str) -> None:
    network = Network(services={ECHO: Service("mute", ())})
    [refused] = say(network, network.online(ROMEO), request(f"<query xmlns='{namespace}' node='cave'/>"))
    assert "item-not-found" in refused


def test_it_says_goodbye_in_an_orderly_stop_only(network: Network) -> None:
    romeo = network.online(ROMEO)
    romeo.take()
    network.servers[MONTAGUE].stop()
    network.settle()
    assert romeo.take() == [f"message/headline {ECHO}"]


def test_it_lists_its_items_and_its_server_lists_it(network: Network, client: Client) -> None:
    def items(of: str) -> list[tuple[str | None, str | None]]:
        client.stanzas.clear()
        network.say(client, request(f"<query xmlns='{ITEMS}'/>", of))
        network.advance(0.1)
        [reply] = client.stanzas
        return [(item.get("jid"), item.get("name")) for item in reply.iter(f"{{{ITEMS}}}item")]

    assert items(ECHO) == [("cave@echo.montague.lit", "The cave")]
    assert items(MONTAGUE) == [(ECHO, None)]


def test_requests_are_handled_by_its_modules(network: Network, client: Client) -> None:
    assert say(network, client, request("<ping xmlns='urn:xmpp:ping'/>")) == [f"iq/result {ECHO} 1"]


@pytest.mark.parametrize("to", [ECHO, f"cave@{ECHO}", f"cave@{ECHO}/left"])
def test_a_request_that_nothing_handles_is_refused(network: Network, client: Client, to: str) -> None:
    [refused] = say(network, client, request("<query xmlns='urn:example:unknown'/>", to))
    assert "service-unavailable" in refused


@pytest.mark.parametrize("stanza", [f"<message to='{ECHO}' id='1'/>", message("refuse later")])
def test_what_it_refuses_comes_back(network: Network, client: Client, stanza: str) -> None:
    [refused] = say(network, client, stanza)
    assert "not-acceptable" in refused


@pytest.mark.parametrize("how", ["die", "die later"])
def test_what_it_fails_at_comes_back_and_it_goes_on(
    network: Network, client: Client, failures: list[object], how: str
) -> None:
    [bounced] = say(network, client, message(how))
    assert "internal-server-error" in bounced
    assert len(failures) == 1
    failures.clear()
    assert say(network, client, message("hello")) == [f"message/chat {ECHO}: hello"]


def test_without_handlers_messages_come_back_and_presence_is_ignored(failures: list[object]) -> None:
    network = Network(services={ECHO: Service("mute", ())})
    romeo = network.online(ROMEO)
    assert say(network, romeo, f"<presence to='{ECHO}'/>") == []
    [refused] = say(network, romeo, message("hello"))
    assert "service-unavailable" in refused


def test_it_is_nobodys_who_is_not_its_servers(network: Network) -> None:
    juliet = network.online(JULIET)
    [refused] = say(network, juliet, message("hello").replace(ECHO, f"echo.{CAPULET}"))
    assert "remote-server-not-found" in refused


def test_the_folder_of_services_can_be_read() -> None:
    assert [service.name for service in services.load(services.names())] == [*services.names()]


def test_a_service_that_is_taken_over_is_ready_when_the_accounts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes to them at once: rooms tell who was in them."""
    done: list[str] = []
    service = Service("probe", ())

    @service.on_start
    async def read(ctx: ServiceContext) -> None:
        done.append("read")

    @service.on_ready
    def ready(ctx: ServiceContext) -> None:
        done.append("ready")

    network = Network(services={ECHO: service})
    network.online(ROMEO)
    start = MemoryNodes.start

    async def started(nodes: MemoryNodes, server: object) -> None:
        await start(nodes, server)
        done.append("accounts")

    monkeypatch.setattr(MemoryNodes, "start", started)
    network.kill(MONTAGUE)
    done.clear()
    network.start(MONTAGUE)
    assert done == ["read", "accounts", "ready"]
