"""One long day of a network; prints all that its servers wrote, and to whom, and recorded. See test_determinism.py."""

from __future__ import annotations

from cluster.host.registry import Registry
from cluster.server.services.service import Service
from cluster.xmpp.namespaces import SM
from tests.client import Client, Connection, Wire
from tests.components import ComponentPeer
from tests.network import CAPULET, MONTAGUE, Network
from tests.phone import Phone, managed, resume
from tests.unit.services import toys

VERONA = "verona.lit"
SECOND, SMS, ECHO = "s1-2", "sms.montague.lit", "echo.montague.lit"
FRIENDS = ["benvolio", "mercutio", "balthasar", "abram", "peter", "sampson", "gregory", "tybalt"]
BLOCKING = "urn:xmpp:blocking"
CARBONS = "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"


class Writes(list[tuple[int, bytes]]):
    """All that is written to any wire, in order; wires are known by when they were first written to."""

    def __init__(self) -> None:
        super().__init__()
        self._wires: dict[Wire, int] = {}
        self._write = Wire.write
        Wire.write = lambda wire, data: self._note(wire, data)

    def _note(self, wire: Wire, data: bytes) -> None:
        self.append((self._wires.setdefault(wire, len(self._wires)), data))
        self._write(wire, data)


class Day:
    """The network, all that its servers write, and their journals."""

    def __init__(self) -> None:
        self.writes = Writes()
        [echo] = Registry(toys.__name__, toys.__path__, Service, "service").load(("echo",))
        self.network = Network(
            (MONTAGUE, CAPULET, VERONA), components={SMS: "hush"}, services={ECHO: echo}, acknowledge_after_s=0.01
        )
        self.journals = {name: [server.journal] for name, server in self.network.servers.items()}
        self.network.add_node(SECOND)
        self.note(SECOND)

    def note(self, node: str) -> None:
        """A server that was started."""
        self.journals.setdefault(node, []).append(self.network.servers[node].journal)

    def say(self, client: Connection, *stanzas: str) -> None:
        self.network.say(client, "".join(stanzas))
        self.network.advance(0.1)

    def run(self) -> None:
        """Everything at which an order could be left to chance."""
        network = self.network
        for friend in FRIENDS:
            network.friends("romeo@montague.lit", f"{friend}@{CAPULET if len(friend) % 2 else VERONA}")
            network.friends("romeo@montague.lit", f"{friend}@montague.lit")
        self.component = ComponentPeer(network.servers[MONTAGUE].components, SMS, "hush")
        network.add(self.component)
        others = [network.online(f"{friend}@{CAPULET if len(friend) % 2 else VERONA}/x") for friend in FRIENDS]
        here = [network.online(f"{f}@montague.lit/x", at=SECOND if len(f) % 3 else "") for f in FRIENDS]
        romeo, pda = managed(network, "romeo@montague.lit/orchard"), network.online("romeo@montague.lit/pda")
        self.talk(romeo, pda, [*others, *here])
        self.direct(romeo, pda)
        self.block(romeo)
        self.crash_and_kill(romeo)

    def talk(self, romeo: Phone, pda: Client, friends: list[Client]) -> None:
        """Messages with copies, to several resources, to nobody, and to services."""
        self.say(romeo, CARBONS)
        self.say(pda, CARBONS, "<presence><show>away</show></presence>")
        for friend in friends:
            self.say(friend, "<message to='romeo@montague.lit' type='chat'><body>hi</body></message>")
            self.say(pda, f"<message to='{friend.jid}' type='chat'><body>hi</body></message>")
        for to in ("nurse@capulet.lit", "nobody@nowhere.lit", ECHO, f"+39333@{SMS}", "paris@verona.lit"):
            self.network.account("nurse@capulet.lit")
            self.say(pda, f"<message to='{to}' id='1' type='chat'><body>late</body></message>")
        for query in ("info", "items"):
            for to in (MONTAGUE, CAPULET, ECHO):
                self.say(
                    pda,
                    f"<iq to='{to}' type='get' id='d'><query xmlns='http://jabber.org/protocol/disco#{query}'/></iq>",
                )
        self.network.online("nurse@capulet.lit/x")

    def direct(self, romeo: Phone, pda: Client) -> None:
        """Presence to many strangers, who hear when it goes: with a goodbye, and without."""
        strangers = [
            f"{name}@{domain}/y" for name in ("anthony", "potpan", "simon", "hugh") for domain in (MONTAGUE, CAPULET)
        ]
        for stranger in strangers:
            self.network.online(stranger)
        for client in (romeo, pda):
            self.say(client, *(f"<presence to='{stranger}'/>" for stranger in strangers))
        pda.drop()
        self.network.advance(1)

    def block(self, romeo: Phone) -> None:
        items = "".join(
            f"<item jid='{friend}@{domain}'/>" for friend in FRIENDS for domain in (MONTAGUE, CAPULET, VERONA)
        )
        self.say(romeo, f"<iq type='set' id='b'><block xmlns='{BLOCKING}'>{items}</block></iq>")
        self.say(romeo, f"<iq type='get' id='l'><blocklist xmlns='{BLOCKING}'/></iq>")
        self.say(romeo, f"<iq type='set' id='u'><unblock xmlns='{BLOCKING}'/></iq>")

    def crash_and_kill(self, romeo: Phone) -> None:
        """A node, then a server; a session comes back, and is over. In the end all stop in an orderly way."""
        network = self.network
        network.crash(SECOND)
        network.advance(5)
        network.kill(MONTAGUE)
        network.start(MONTAGUE)
        self.note(MONTAGUE)
        resumed = resume(network, "romeo@montague.lit/orchard", romeo.sm_id, romeo.handled)
        network.advance(1)
        self.say(resumed, "<presence type='unavailable'/>", f"<r xmlns='{SM}'/>")
        for domain in (CAPULET, MONTAGUE, VERONA):
            network.servers[domain].stop()
            network.settle()
        network.advance(60)

    def report(self) -> None:
        """On standard output."""
        for wire, data in self.writes:
            print(wire, data)
        for name, journals in self.journals.items():
            for journal in journals:
                for hop in journal:
                    print(name, hop)


if __name__ == "__main__":
    day = Day()
    day.run()
    day.report()
