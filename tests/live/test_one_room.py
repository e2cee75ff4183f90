"""One room, people of two domains, and no two clients of one make: they see each other, talk, and see faces."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.clients import WINDOW_S, RealClient, RealProgram
from tests.live.connected import connect, needs
from tests.live.console import Terminal
from tests.live.display import Display
from tests.live.running_lab import ROOT, RunningLab
from tests.live.xmppjs import needs_xmppjs, xmppjs

pytestmark = pytest.mark.live
VERONA = "verona@conference.montague.lit"
BOOKMARKS, KEYS = "urn:xmpp:bookmarks:1", "eu.siacs.conversations.axolotl.devicelist"
DATA, METADATA = "urn:xmpp:avatar:data", "urn:xmpp:avatar:metadata"
FACE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAMAAAAoLQ9TAAAAA1BMVEX/AAAZ4gk3AAAADUlEQVQY02NgGAXIAAABEAAB7JfjegAA"
    "AABJRU5ErkJggg=="
)
"""A red square, as PNG."""
TRIES = 6
"""A window may be at work on something else when keys are pressed, and lose them."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), ROOT / "topologies" / "rooms.yaml").while_up()


def slixmpp(lab: RunningLab, stage: ExitStack, jid: str, script: str) -> RealClient:
    client = stage.enter_context(lab.client(jid, script=script))
    client.see("session")
    return client


def enter(client: RealProgram, nick: str) -> None:
    client.do("enter", room=VERONA, nick=nick)
    client.see("entered")


def publish(client: RealClient, node: str, id: str, xml: str, **options: str) -> None:
    client.do("publish", node=node, id=id, xml=xml, **options)
    client.see("done", do="publish", id=id)


def bookmark(lab: RunningLab, account: str, nick: str) -> None:
    """A client of the account sets it: the others enter the room with it."""
    xml = f"<conference xmlns='{BOOKMARKS}' name='Verona' autojoin='true'><nick>{nick}</nick></conference>"
    options = {"persist_items": "true", "max_items": "max", "access_model": "whitelist"}
    with ExitStack() as stage:
        client = slixmpp(lab, stage, f"{account}/bookmarks", "slixmpp_pep.py")
        publish(client, BOOKMARKS, VERONA, xml, **options)


def show_face(lab: RunningLab, account: str) -> str:
    """Publish an avatar for the account (XEP-0084 section 3); its hash."""
    hash, data = hashlib.sha1(FACE).hexdigest(), base64.b64encode(FACE).decode()
    info = f"<info id='{hash}' type='image/png' bytes='{len(FACE)}' width='16' height='16'/>"
    with ExitStack() as stage:
        client = slixmpp(lab, stage, f"{account}/camera", "slixmpp_pep.py")
        publish(client, DATA, hash, f"<data xmlns='{DATA}'>{data}</data>", access_model="open")
        publish(client, METADATA, hash, f"<metadata xmlns='{METADATA}'>{info}</metadata>", access_model="open")
    return hash


@needs_xmppjs
def test_slixmpp_xmppjs_and_profanity(lab: RunningLab, stage: ExitStack, tmp_path: Path) -> None:
    needs("profanity")
    juliet = slixmpp(lab, stage, "juliet@capulet.lit/balcony", "slixmpp_rooms.py")
    romeo = stage.enter_context(xmppjs(lab, "romeo@montague.lit/orchard"))
    romeo.see("session")
    enter(juliet, "Juliet")
    enter(romeo, "Romeo")
    terminal = connect(lab, stage, tmp_path, "profanity", "benvolio")
    assert isinstance(terminal, Terminal)
    terminal.shows("logged in successfully")
    terminal.type(f"/join {VERONA}")
    terminal.shows("You have joined the room as benvolio, role: participant, affiliation: none")
    for nick in ("Juliet", "Romeo", "benvolio"):
        terminal.shows(f"  {nick}\n")  # in the list of occupants
    romeo.see("presence", type="available", from_=f"{VERONA}/benvolio")

    sayings = {"Juliet": "O Romeo, Romeo!", "Romeo": "Shall I hear more? <i> & ♥", "benvolio": "Come, shall we go?"}
    juliet.do("say", room=VERONA, body=sayings["Juliet"])
    terminal.shows(f"Juliet: {sayings['Juliet']}")
    romeo.do("message", to=VERONA, body=sayings["Romeo"], type="groupchat")
    terminal.shows(f"Romeo: {sayings['Romeo']}")
    terminal.type(sayings["benvolio"])
    for nick, body in sayings.items():
        juliet.see("said", nick=nick, body=body)
        romeo.see("message", type="groupchat", from_=f"{VERONA}/{nick}", body=body)

    terminal.type("/nick Ben")
    romeo.see("presence", type="unavailable", from_=f"{VERONA}/benvolio")
    romeo.see("presence", type="available", from_=f"{VERONA}/Ben")
    terminal.type("/quit")
    juliet.see("gone", nick="Ben")


@pytest.mark.parametrize(("client", "account"), [("dino", "nurse@capulet.lit"), ("gajim", "benvolio@montague.lit")])
def test_clients_with_windows(lab: RunningLab, stage: ExitStack, tmp_path: Path, client: str, account: str) -> None:
    """They enter by a bookmark, speak, see who speaks; and publish keys that the other domain reads (XEP-0384)."""
    needs(client)
    if any(shutil.which(program) is None for program in ("xdotool", "import")):
        pytest.skip("needs xdotool and ImageMagick: apt-get install xdotool imagemagick")
    bookmark(lab, account, client)
    hash = show_face(lab, "juliet@capulet.lit")
    juliet = slixmpp(lab, stage, "juliet@capulet.lit/balcony", "slixmpp_rooms.py")
    juliet.do("presence")
    enter(juliet, "Juliet")
    display = connect(lab, stage, tmp_path, client, account)
    assert isinstance(display, Display)
    juliet.see("came", patience_s=WINDOW_S, nick=client)
    juliet.do("say", room=VERONA, body="Good pilgrim")

    profile = lab.folder / ".xmpplab" / "rooms" / "clients" / client / account
    assert wait_until(lambda: any(profile.rglob(hash)), WINDOW_S), display.said()  # it has fetched her face
    clicks = [(240, 165), (680, 476)] if client == "gajim" else []  # the room, the line; Dino has both ready
    question = {"nick": client, "body": "What lady is that?"}
    for _ in range(TRIES):
        display.type(client.capitalize(), question["body"], clicks)
        if wait_until(
            lambda: any(question.items() <= said.items() for said in juliet.unseen("said")), PATIENCE_S / TRIES
        ):
            break
    display.picture(tmp_path / "typed.png")
    juliet.see("said", **question)
    if client == "dino":
        reader = slixmpp(lab, stage, "juliet@capulet.lit/reader", "slixmpp_pep.py")
        reader.do("items", node=KEYS, of=account)
        assert len(reader.see("items")["ids"]) == 1
