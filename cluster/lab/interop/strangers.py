"""Whether a server accepts another one whose certificate has a flaw (RFC 6120 section 13.7)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cluster.lab.api import Lab
from cluster.lab.checking import tls
from cluster.lab.checking.check import has_dialback, mechanisms
from cluster.lab.checking.wire import Ended, Wire
from cluster.lab.folder import LabFolder
from cluster.lab.interop.exchange import Exchange
from cluster.lab.plans import read_plans
from cluster.lab.progress import Tell
from cluster.lab.provision import ca, certificates
from cluster.topology.plan import Plan, ServerNode
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import SASL, SERVER
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader

STRANGER = "capulet.lit"
_TOPOLOGY = """\
name: {name}
servers:
  s1: {{domain: montague.lit, kind: {kind}}}
  s2: {{domain: {stranger}, kind: external}}
accounts:
  friend@montague.lit: {{}}
  watcher@montague.lit: {{}}
"""


@contextmanager
def lab_with_stranger(root: Path, kind: str, tell: Tell) -> Iterator[Lab]:
    """A running lab of one server of this kind, and a domain that a test plays, with certificates of all sorts."""
    name = f"interop-{kind}-stranger"
    file = root / f"{name}.yaml"
    file.write_text(_TOPOLOGY.format(name=name, kind=kind, stranger=STRANGER), encoding="utf-8")
    plans = read_plans(file, root)
    folder = LabFolder(Path(plans[0].state_dir))
    with_flaws(folder, plans[0], plans[0].servers[1])
    lab = Lab(folder)
    tell(f"{kind}: bringing it up")
    lab.up(plans, tell=tell, owner=os.getpid())
    try:
        yield lab
    finally:
        lab.down()


def tried(lab: Lab, flaw: str, exchange: Exchange) -> tuple[bool, str]:
    """Whether the server does what it must with this certificate (`good`, or a flaw), and what it does."""
    found = _tried(lab, flaw, exchange)
    return (found == _LET_IN) == (flaw == GOOD) or flaw in ca.DEBATABLE, found


def with_flaws(folder: LabFolder, plan: Plan, stranger: ServerNode) -> None:
    """Issue the lab's certificates, and one with each flaw for the stranger; their files are named after the flaws.

    Before the lab does: it keeps valid ones, and has no key of the authority afterwards.
    """
    folder.create()
    servers = {server.name: (server.domains, server.host) for server in plan.servers}
    flawed = dict.fromkeys(ca.FLAWS, (stranger.domains, stranger.host))
    certificates.issue(folder, plan, datetime.now(UTC), {**servers, **flawed})


GOOD = "good"
_LET_IN = "EXTERNAL accepted"


class PlayedServer(Wire):
    """A stream of the stranger to the server of the lab, all of which is noted."""

    def __init__(self, lab: Lab, exchange: Exchange, flaw: str = GOOD) -> None:
        """Connect; `flaw`: that of the certificate."""
        self.server: ServerNode = lab.plan.servers[0]
        name = "s2" if flaw == GOOD else flaw
        self._context = tls.trusting(lab.folder.ca_file, (lab.folder.certificate(name), lab.folder.key(name)))
        self._exchange = exchange
        super().__init__((self.server.host, self.server.s2s_port), SERVER, self.server.domain, STRANGER)

    def secured(self) -> tuple[StreamHeader, Element]:
        """STARTTLS; the server's header and features under TLS."""
        self.open()
        self.start_tls(self._context, self.server.domain)
        return self.open()

    def log_in(self) -> None:
        """SASL EXTERNAL. Raises Ended if it is refused."""
        self.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
        self.child("success")

    def send(self, text: str) -> None:
        """Write."""
        self._exchange.note(STRANGER, "sent", text)
        super().send(text)

    def _next(self) -> StreamHeader | Slice | StreamEnd:
        found = super()._next()
        text = found.raw.decode() if isinstance(found, Slice) else f"({type(found).__name__})"
        self._exchange.note(STRANGER, "received", text)
        return found


def _tried(lab: Lab, flaw: str, exchange: Exchange) -> str:
    """The outcome of a stream of the stranger with this certificate."""
    try:
        with PlayedServer(lab, exchange, flaw) as wire:
            header, features = wire.secured()
            dialback = "; dialback is offered" if has_dialback(header, features) else ""
            if "EXTERNAL" not in mechanisms(features):
                return f"EXTERNAL not offered{dialback}"
            try:
                wire.log_in()
            except Ended as refused:
                return f"EXTERNAL refused: {refused}{dialback}"
            return _LET_IN
    except ssl.SSLError as error:
        return f"TLS refused: {error.reason or error}"
    except (Ended, StreamError, OSError) as error:
        return f"refused: {error}"
