"""A client that manages its stream (XEP-0198): it counts what it got, and can come back after its connection broke."""

from __future__ import annotations

import base64

from cluster.server.c2s.client_streams import ClientStreams
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, SASL, SM, STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from tests.client import Connection
from tests.network import PASSWORD, Network
from tests.told import told

_STANZAS = {f"{{{CLIENT}}}{kind}" for kind in ("message", "presence", "iq")}


class Phone(Connection):
    """Speaks as it is told; each child of the stream that it got is in `got`."""

    def __init__(self, streams: ClientStreams, jid: Jid) -> None:
        super().__init__(streams)
        self.jid = jid
        self.got: list[Element] = []
        self.handled = 0
        """Stanzas that it got since stream management was enabled."""
        self.sm_id = ""
        """What its stream can be resumed by."""
        self._counts = False
        self._header = (
            f"<?xml version='1.0'?><stream:stream to='{jid.domainpart}' version='1.0' xmlns='{CLIENT}' "
            f"xmlns:stream='{STREAMS}'>"
        )
        self._parser = StreamParser()

    def read(self, data: bytes) -> None:
        super().read(data)
        found: list[StreamHeader | Slice | StreamEnd] = []
        self._parser.feed(data, found)
        for each in found:
            if isinstance(each, Slice):
                element = xml.parse(each.raw)
                self.got.append(element)
                self.handled += self._counts and element.tag in _STANZAS
                if element.tag == f"{{{SM}}}enabled":
                    self._counts, self.sm_id = True, element.get("id", "")

    def log_in(self, network: Network) -> None:
        """Up to the features of the stream that is logged in."""
        secret = base64.b64encode(f"\0{self.jid.localpart}\0{PASSWORD}".encode()).decode()
        network.say(self, self._header)
        network.say(self, f"<auth xmlns='{SASL}' mechanism='PLAIN'>{secret}</auth>")
        self._parser = StreamParser()
        network.say(self, self._header)

    def last(self, name: str, namespace: str = SM) -> Element:
        """The last thing that it got, which must be this."""
        assert self.got, f"nothing came, not even {name}"
        assert self.got[-1].tag == f"{{{namespace}}}{name}", xml.serialize(self.got[-1])
        return self.got[-1]

    def take(self) -> list[str]:
        """The stanzas that it got since it was last asked, each as one line; see `told`."""
        got, self.got = self.got, []
        return [told(element) for element in got if element.tag in _STANZAS]


def phone(network: Network, jid: str, at: str = "") -> Phone:
    """One that is logged in, without a resource yet; its account is made. `at`: a further node."""
    account = network.account(jid)
    made = Phone(network.servers[at or account.domainpart].streams, Jid.parse(jid))
    network.add(made)
    made.log_in(network)
    made.got.clear()
    return made


def managed(
    network: Network, jid: str, *, enable: str = "resume='true'", at: str = "", presence: str = "<presence/>"
) -> Phone:
    """One that is available on a managed stream."""
    made = phone(network, jid, at)
    resource = Jid.parse(jid).resourcepart
    bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>"
    network.say(made, f"<iq type='set' id='b'>{bind}</iq>{presence}")
    network.say(made, f"<enable xmlns='{SM}' {enable}/>")
    return made


def resume(network: Network, jid: str, previd: str, h: int | str, at: str = "") -> Phone:
    """A new connection of the client, which asks for the former stream."""
    made = phone(network, jid, at)
    network.say(made, f"<resume xmlns='{SM}' previd='{previd}' h='{h}'/>")
    return made
