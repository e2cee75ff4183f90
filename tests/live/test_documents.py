"""The JSON of every command fits its documented type (docs/json.md), field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from cluster.cli.documents import DOCUMENTS
from cluster.topology.plan import Plan
from tests.live import warm
from tests.live.running_lab import TIMEOUT_S, RunningLab

pytestmark = pytest.mark.live
ROMEO, JULIET, FRIAR = "romeo@montague.lit", "juliet@capulet.lit", "friar\\40abbey.example@mail.montague.lit"


@pytest.fixture(scope="module")
def busy(gateways: RunningLab) -> Iterator[RunningLab]:
    """A lab in which something has happened everywhere."""
    for to in (JULIET, "fc1", FRIAR):
        gateways.command("send", ROMEO, to, "But, soft!")
        gateways.command("trace", ROMEO, to)
    gateways.command("fault", "set", "s1", "s2", "--delay", "1ms")
    with gateways.client(ROMEO) as romeo:
        romeo.see("session")
        yield gateways


COMMANDS = {
    "ps": (),
    "ls": (),
    "logs": ("--tail", "1"),
    "trace": (ROMEO, JULIET),
    "why": (),
    "inbox": (JULIET,),
    "user ls": (),
    "user sessions": ("montague.lit",),
    "user roster": (ROMEO,),
    "search": ("soft",),
    "load": ("chat", "-u", "4", "-t", "2s"),
    "connect": (),
    "fault ls": (),
    "network ls": (),
    "phone": ("fc1", "inbox"),
    "mail": ("fc6", "inbox"),
    "verify": (),
    "check": ("montague.lit",),
    "interop": ("--kinds", "xmpplab", "--ways", "certificates"),
    "simulate": ("verona", "--for", "10s"),
    "config": None,
    "up": None,
}


def test_every_document_is_tested() -> None:
    assert COMMANDS.keys() == DOCUMENTS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_fits(busy: RunningLab, command: str) -> None:
    arguments = COMMANDS[command]
    if arguments is None:
        arguments = (str(busy.topology), *(["--dry-run"] if command == "up" else []))
    done = warm.run([*command.split(), *arguments, "--format", "json"], busy.folder, TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed
    known = msgspec.convert(printed, DOCUMENTS[command])
    shown = known.shown if isinstance(known, Plan) else known
    assert json.loads(msgspec.json.encode(shown)) == printed  # no field is unknown
