"""What a server makes of another one whose certificate has a flaw (RFC 6120 section 13.7)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cluster.lab.api import Lab
from cluster.lab.checking import tls
from cluster.lab.checking.check import has_dialback, mechanisms
from cluster.lab.checking.wire import Ended, Wire
from cluster.lab.folder import LabFolder
from cluster.lab.plans import read_plans
from cluster.lab.private import write_private
from cluster.lab.progress import Tell
from cluster.lab.provision import ca
from cluster.topology.plan import Plan, ServerNode
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import SASL, SERVER

STRANGER = "capulet.lit"
_TOPOLOGY = """\
name: {name}
servers:
  s1: {{domain: montague.lit, kind: {kind}}}
  s2: {{domain: {stranger}, kind: external}}
"""


def verdicts(root: Path, kind: str, tell: Tell) -> Iterator[tuple[str, bool, str]]:
    """For each certificate: what it is, whether the server does what it must, and what it does."""
    name = f"interop-{kind}-certificates"
    file = root / f"{name}.yaml"
    file.write_text(_TOPOLOGY.format(name=name, kind=kind, stranger=STRANGER), encoding="utf-8")
    plans = read_plans(file, root)
    folder = LabFolder(Path(plans[0].state_dir))
    _certify(folder, plans[0])
    lab = Lab(folder)
    tell(f"{kind}: bringing it up")
    lab.up(plans, tell=tell)
    try:
        for flaw in ("", *ca.FLAWS):
            tell(f"{kind}: a certificate that is {flaw or 'good'}")
            found = _tried(folder, lab.plan.servers[0], flaw)
            is_let_in = found.startswith(_LET_IN)
            yield flaw or "good", is_let_in == (not flaw) or flaw in ca.DEBATABLE, found
    finally:
        lab.down()


def _certify(folder: LabFolder, plan: Plan) -> None:
    """Before the lab does: it keeps what is good, and has forgotten the key that signs."""
    folder.create()
    servers = {server.name: (server.domains, server.host) for server in plan.servers}
    there = plan.servers[1]
    flawed = dict.fromkeys(ca.FLAWS, (there.domains, there.host))
    authority, issued = ca.issue(datetime.now(UTC), plan.name, {**servers, **flawed})
    write_private(folder.ca_file, authority, 0o644)
    for name, one in issued.items():
        write_private(folder.certificate(name), one.certificate)
        write_private(folder.key(name), one.key)


_LET_IN = "EXTERNAL accepted"


def _tried(folder: LabFolder, server: ServerNode, flaw: str) -> str:
    """What comes of a stream of the stranger with this certificate."""
    name = flaw or "s2"
    context = tls.trusting(folder.ca_file, (folder.certificate(name), folder.key(name)))
    try:
        with Wire((server.host, server.s2s_port), SERVER, server.domain, STRANGER) as wire:
            wire.open()
            wire.start_tls(context, server.domain)
            header, features = wire.open()
            dialback = "; dialback is offered" if has_dialback(header, features) else ""
            if "EXTERNAL" not in mechanisms(features):
                return f"EXTERNAL not offered{dialback}"
            wire.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
            try:
                wire.child("success")
            except Ended as refused:
                return f"EXTERNAL refused: {refused}{dialback}"
            return _LET_IN
    except ssl.SSLError as error:
        return f"TLS refused: {error.reason or error}"
    except (Ended, StreamError, OSError) as error:
        return f"refused: {error}"
