"""XEP-0198 between servers: acknowledgements, and streams that are resumed."""

from __future__ import annotations

from tests.conformance.beginnings import secured
from tests.conformance.federation import EXTERNAL, KEY, Peer, ServerWire, conditions_of
from tests.conformance.rules import sm
from tests.conformance.site import Site
from tests.conformance.wire import STREAMS, Element

SM = "{urn:xmpp:sm:3}"


def managed(site: Site, wish: str = "") -> tuple[Peer, ServerWire, Element]:
    """A stream to the server that acknowledges (XEP-0198), and its answer to <enable/>."""
    peer = site.peer()
    wire = peer.speaking(site.secured)
    if wire.features.find(f"{SM}sm") is None:
        site.lacks("this server does not acknowledge between servers")
    wire.send(f"<enable xmlns='urn:xmpp:sm:3'{wish}/>")
    return peer, wire, wire.read()


def acknowledged(wire: ServerWire) -> str | None:
    """How far the server is."""
    wire.send("<r xmlns='urn:xmpp:sm:3'/>")
    return wire.until(lambda child: child.tag == f"{SM}a")[-1].get("h")


def say(wire: ServerWire, peer: Peer, site: Site, count: int = 1) -> None:
    """So many messages."""
    wire.send(f"<message type='headline' from='juliet@{peer.name}' to='romeo@{site.secured.name}'/>" * count)


@sm("3", "MUST", "<enable/> of a server is answered with <enabled/> or <failed/>.")
@sm("4", "MUST", "<r/> of a server is answered with <a/>, whose h counts its stanzas since <enable/>.")
def test_acknowledgement(site: Site) -> None:
    peer, wire, answer = managed(site)
    assert answer.tag == f"{SM}enabled"
    assert acknowledged(wire) == "0"
    say(wire, peer, site, 3)
    counted = acknowledged(wire)
    while counted != "3":  # it may say less until they are safe
        counted = acknowledged(wire)


@sm("4", "MUST", "Only stanzas are counted.")
def test_count(site: Site) -> None:
    peer, wire, _ = managed(site)
    wire.ask(site.secured.name, "x", KEY)
    assert acknowledged(wire) == "0"
    assert peer


@sm("3", "defined", "A second <enable/> of a server is refused: by <failed/>, as in the example, or a stream error.")
def test_enabled_twice(site: Site) -> None:
    _, wire, _ = managed(site)
    wire.send("<enable xmlns='urn:xmpp:sm:3'/>")
    answer = wire.read()
    assert answer.tag == f"{STREAMS}error" or conditions_of(answer) == ["unexpected-request"]


@sm("5", "MUST", "A stream of a server that broke is resumed, with the count of what came.")
def test_resumption(site: Site) -> None:
    peer, wire, answer = managed(site, " resume='true'")
    if answer.get("resume") not in ("true", "1"):
        site.lacks("this server lets no server resume")
    say(wire, peer, site, 2)
    while acknowledged(wire) != "2":
        pass
    wire.close()
    again = peer.speaking(site.secured)
    again.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{answer.get('id')}' h='0'/>")
    resumed = again.read()
    assert (resumed.tag, resumed.get("h")) == (f"{SM}resumed", "2")


@sm("5", "MUST", "A stream that is not known is not resumed: item-not-found.")
def test_unknown_stream(site: Site) -> None:
    peer = site.peer()
    wire = peer.speaking(site.secured)
    if wire.features.find(f"{SM}sm") is None:
        site.lacks("this server does not acknowledge between servers")
    wire.send("<resume xmlns='urn:xmpp:sm:3' previd='never-was' h='0'/>")
    answer = wire.read()
    assert answer.tag == f"{SM}failed"
    assert conditions_of(answer) == ["item-not-found"]


@sm("3", "defined", "Where the other server offers acknowledgements, the server asks for them after its login.")
@sm("4", "MUST", "<r/> is answered on a stream that the server opened, too: with nothing counted.")
def test_acknowledgements_of_the_server(site: Site) -> None:
    _, wire, _ = secured(site, EXTERNAL)
    wire.accept_login()
    wire.welcome_anew("<sm xmlns='urn:xmpp:sm:3'/>")
    first = wire.read()
    if first.tag != f"{SM}enable":
        site.lacks("this server does not ask for acknowledgements between servers")
    wire.send("<enabled xmlns='urn:xmpp:sm:3'/>")
    assert wire.stanza().get("id") == "p1"
    assert acknowledged(wire) == "0"
