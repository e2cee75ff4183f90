"""Two domains, a mail gateway and a mail host, joined in memory; they move by hand, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError

from cluster.components.connection import ComponentConnection
from cluster.components.runtime import GatewayRuntime
from cluster.gateways.mail.configuration import MailSettings
from cluster.gateways.mail.service import MailService
from cluster.networks.mailhost.configuration import MailboxSettings, MailHostSettings
from cluster.networks.mailhost.mailhost import LabMailHost
from cluster.protocols.smtp.memory import MemoryLedger, MemorySpool
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.settings import RelaySettings
from cluster.store.port import Store
from cluster.trace.hop import Hop, Tracer
from tests.client import Connection
from tests.components import Cable, MemoryEndpoint
from tests.network import MONTAGUE, START_UTC_S, Network, at_once

MAIL, SECRET = "mail.montague.lit", "hush"
FRIAR = "friar@abbey.example"
FRIAR_JID = rf"friar\40abbey.example@{MAIL}"


class SmtpEndpoint:
    """Where an SMTP host is found; as IStreamClientEndpoint."""

    def __init__(self, network: Network) -> None:
        self.factory: Any = None
        """The server's; None: it is down."""
        self.attempts = 0
        self.cables: list[Cable] = []
        self._network = network

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts += 1
        if self.factory is None:
            return fail(ConnectionRefusedError())
        protocol = factory.buildProtocol(None)
        self.cables.append(Cable(self.factory, protocol))
        self._network.add(self.cables[-1])
        return succeed(protocol)


class Listening:
    """As IStreamServerEndpoint and IListeningPort: makes a server known to those who connect."""

    def __init__(self, *endpoints: SmtpEndpoint) -> None:
        self._endpoints = endpoints

    def listen(self, factory: Any) -> Deferred[Any]:
        for endpoint in self._endpoints:
            endpoint.factory = factory
        return succeed(self)

    def stopListening(self) -> Deferred[None]:
        for endpoint in self._endpoints:
            endpoint.factory = None
        return succeed(None)


class MailNetwork(Network):
    """montague.lit with a mail gateway, capulet.lit, and the mail host of abbey.example."""

    def __init__(
        self,
        folder: Path,
        *,
        spool: MemorySpool | None = None,
        ledger: MemoryLedger | None = None,
        stores: dict[str, Store] | None = None,
        settings: MailSettings | None = None,
    ) -> None:
        super().__init__(components={MAIL: SECRET}, stores=stores)
        self.hops: list[Hop] = []
        self.now_utc_s: Callable[[], float] = lambda: START_UTC_S + self.clock.seconds() + self.wall_clock_set_by_s
        self.spool = spool or MemorySpool()
        self.ledger = ledger or MemoryLedger(self.now_utc_s)
        self.to_host, self.to_gateway = SmtpEndpoint(self), SmtpEndpoint(self)
        self.endpoint = MemoryEndpoint(self, MONTAGUE)
        self._ids = {"g2": 0, "fn2": 0}
        self._start_gateway(settings or MailSettings("g2", MAIL, (MONTAGUE,)))
        self._start_host(folder)

    def _id_source(self, node: str) -> Callable[[], str]:
        def new_id() -> str:
            self._ids[node] += 1
            return f"{node}id{self._ids[node]}"

        return new_id

    def _mail_tracer(self, node: str) -> Tracer:
        journal: Any = self.hops
        return Tracer(node, journal, lambda: int(self.now_utc_s() * 1e9), lambda: "", 0, self.clock)

    def _start_gateway(self, settings: MailSettings) -> None:
        tracer = self._mail_tracer("g2")
        endpoint: Any = self.endpoint
        self.connection = ComponentConnection(self.clock, endpoint, MAIL, SECRET, tracer, lambda: 1.0)
        relay = Relay(self.clock, self.to_host, RelaySettings("mx.abbey.example"), MAIL)
        self.service = MailService(
            self.clock, settings, relay, self.spool, self.ledger, self.connection.send, tracer,
            now_utc_s=self.now_utc_s, new_id=self._id_source("g2"), jitter=lambda: 1.0,
        )  # fmt: skip
        self.runtime = GatewayRuntime(self.connection, self.service.gateway)
        self.runtime.start()
        at_once(self.service.start(Listening(self.to_gateway)))

    def _start_host(self, folder: Path) -> None:
        mailboxes = (MailboxSettings(FRIAR, "fc2"), MailboxSettings("abbot@abbey.example", "fc3"))
        relay = Relay(self.clock, self.to_gateway, RelaySettings(MAIL), "mx.abbey.example")
        self.host = LabMailHost(
            self.clock, MailHostSettings("fn2", "mx.abbey.example", mailboxes),
            {MONTAGUE: relay, MAIL: relay}, folder, self._mail_tracer("fn2"),
            now_utc_s=self.now_utc_s, new_id=self._id_source("fn2"), jitter=lambda: 1.0,
        )  # fmt: skip
        at_once(self.host.start(Listening(self.to_host)))
        self.settle()

    def inbox(self, mailbox: str = FRIAR) -> list[dict[str, Any]]:
        """What the mail host shows."""
        return at_once(self.host.administration.inbox(mailbox))

    def key(self) -> str:
        """Of the newest mail in the mailbox."""
        return str(self.inbox()[-1]["message_id"]).strip("<>").partition("@")[0]

    def raw(self, folder: Path, mailbox: str = FRIAR) -> list[bytes]:
        """The mails as they are on disk."""
        files = (folder / "mail" / mailbox / "new").iterdir()
        order = sorted(
            files, key=lambda file: (file.stat().st_mtime, int(file.name.partition("Q")[2].partition(".")[0]))
        )
        return [file.read_bytes() for file in order]

    def smtp(self, endpoint: SmtpEndpoint) -> Dialogue:
        """A person who types SMTP to a server."""
        dialogue = Dialogue(self, endpoint)
        self.settle()
        dialogue.take()
        return dialogue


class Dialogue:
    """Lines to a server, and what it answers."""

    def __init__(self, network: Network, endpoint: SmtpEndpoint) -> None:
        self.connection = Connection(endpoint.factory)
        self._network = network
        self._read = 0
        network.add(self.connection)

    def take(self) -> list[str]:
        """The lines since it was last asked."""
        output = self.connection.output
        new, self._read = output[self._read :], len(output)
        return new.decode().splitlines()

    def say(self, *lines: str | bytes) -> list[str]:
        """What the server answers to these lines, which are sent together."""
        for line in lines:
            self.connection.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        self._network.settle()
        return self.take()

    def mail(self, data: str | bytes, to: str = f"romeo@{MONTAGUE}", from_: str = FRIAR) -> str:
        """The answer to a whole mail."""
        octets = data.encode() if isinstance(data, str) else data
        octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        answers = self.say("EHLO abbey.example")
        answers = self.say(f"MAIL FROM:<{from_}>", f"RCPT TO:<{to}>", "DATA", *octets.split(b"\r\n"), ".")
        return answers[-1]
