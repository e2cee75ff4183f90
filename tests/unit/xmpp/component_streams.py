"""Both sides of a component's stream, and bytes that a component sends."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import COMPONENT, STREAMS
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.component import AcceptingStream, ComponentStream, ConnectingStream, Joined, handshake
from tests.helpers import ids

SMS, SECRET = "sms.montague.lit", "hush"
PHONE, ROMEO = Jid.parse("+39333@sms.montague.lit"), Jid.parse("romeo@montague.lit/pda")
HEADER = f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' to='{SMS}'>"
HANDSHAKE = f"<handshake>{handshake('id1', SECRET)}</handshake>"


class Peer:
    """A component made of bytes, at a server's stream that lets in whoever knows the secret."""

    def __init__(self) -> None:
        self.stream = AcceptingStream("montague.lit", {SMS: SECRET, "mail.montague.lit": "x"}, ids())
        self.events: list[object] = []

    def say(self, *sent: str | bytes) -> str:
        answer = b""
        for chunk in sent:
            self.stream.receive_data(chunk if isinstance(chunk, bytes) else chunk.encode())
            for event in self.stream.events():
                self.events.append(event)
                if isinstance(event, Joined):
                    self.stream.accept()
            answer += self.stream.data_to_send()
        return answer.decode()


def joined() -> Peer:
    peer = Peer()
    peer.say(HEADER, HANDSHAKE)
    peer.events.clear()
    return peer


def pump(component: ConnectingStream, server: AcceptingStream) -> list[object]:
    """Carry bytes until neither has more to say, and handle each stanza at once; what both told."""
    told: list[object] = []
    while True:
        asked, answered = component.data_to_send(), server.data_to_send()
        if not asked and not answered:
            return told
        for stream, data in ((server, asked), (component, answered)):
            stream.receive_data(data)
            told.extend(take(stream))


def take(stream: ComponentStream) -> Iterator[object]:
    for event in stream.events():
        if isinstance(event, Joined) and isinstance(stream, AcceptingStream):
            stream.accept()
        if isinstance(event, Stanza):
            stream.received(None)
        yield event


def connected() -> tuple[ConnectingStream, AcceptingStream]:
    """Both sides, joined."""
    component, server = ConnectingStream(SMS, SECRET), AcceptingStream("montague.lit", {SMS: SECRET}, ids())
    assert pump(component, server) == [Joined(), Joined()]
    return component, server
