"""Accounts of the lab in the terminal and in scripts: `chat`, `send`, `inbox`, with a real client on the other side."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.live.console import Terminal
from tests.live.running_lab import ROOT, TIMEOUT_S, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), ROOT / "topologies" / "rfc3920.yaml").while_up()


@pytest.fixture
def servant(lab: RunningLab) -> str:
    """An account of the test's own, that nobody has written to: its name is unique, its password `verona`."""
    name = f"servant{next(_NUMBERS)}"
    lab.command("user", "add", f"{name}@capulet.lit", "--password", "verona")
    return name


def inbox(lab: RunningLab, name: str, *options: str) -> list[str]:
    shown = json.loads(lab.command("inbox", name, "--password", "verona", "--format", "json", *options))
    return [message["body"] for message in shown]


def test_a_message_from_a_script(lab: RunningLab) -> None:
    with lab.client(JULIET) as juliet:
        juliet.see("session")
        juliet.do("presence")
        juliet.see("presence", lambda seen: seen["from"].startswith(JULIET))  # her own: she is available
        assert lab.command("send", "romeo", "juliet", "But, soft!\nWhat light?") == "sent\n"
        juliet.see("message", body="But, soft!\nWhat light?")
        assert all(seen["type"] == "unavailable" for seen in juliet.unseen("presence"))  # nobody saw Romeo come


def test_a_message_that_comes_back(lab: RunningLab) -> None:
    said = lab.command("send", "romeo", "nobody@capulet.lit", "x", exit_code=1)
    assert said == "xmpplab: the message to nobody@capulet.lit was returned: service-unavailable\n"
    assert "remote-server-not-found" in lab.command("send", "romeo", "a@nowhere.example", "x", exit_code=1)


def test_every_message_that_comes_back_is_told(lab: RunningLab) -> None:
    """The bounce is always before the answer to the ping that follows the message."""
    for number in range(5):
        assert "was returned" in lab.command("send", "romeo", f"nobody{number}@capulet.lit", "x", exit_code=1)


def test_the_inbox_takes_nothing_from_other_clients(lab: RunningLab, servant: str) -> None:
    lab.command("send", "romeo", servant, "one")
    lab.command("send", "juliet", f"{servant}@capulet.lit", "two")
    lab.command("trace", "romeo", f"{servant}@capulet.lit")  # a probe is no message to the account
    assert inbox(lab, servant) == ["one", "two"]
    assert inbox(lab, servant, "--tail", "1") == ["two"]
    with lab.client(f"{servant}@capulet.lit", "verona") as client:
        client.see("session")
        client.do("presence")
        client.see("message", body="one")
        client.see("message", body="two")
        client.do("message", to="benvolio@montague.lit", body="three")  # who is not in any chat here
    assert inbox(lab, servant) == ["one", "two"]


def test_the_inbox_for_people(lab: RunningLab, servant: str) -> None:
    assert lab.command("inbox", servant, "--password", "verona") == "no messages\n"
    lab.command("send", "romeo", servant, "a\x7fb\nc")
    shown = lab.command("inbox", servant, "--password", "verona")
    assert shown.partition("  ")[2].startswith("romeo@montague.lit/")
    assert shown.endswith(": a\\x7fb\n    c\n")


def test_a_login_that_fails(lab: RunningLab, servant: str) -> None:
    for command in (["send", servant, "romeo", "x"], ["inbox", servant], ["chat", servant]):
        assert "pass --password" in lab.command(*command, exit_code=2)
        assert "cannot log in" in lab.command(*command, "--password", "wrong", exit_code=1)
    assert "no account" in lab.command("inbox", "x@capulet.lit", "--password", "x", exit_code=1)
    assert "no account x@capulet.lit" in lab.command("user", "roster", "x@capulet.lit", exit_code=1)
    assert "own roster" in lab.command("user", "roster", "romeo", "--add", "romeo", exit_code=2)


def test_a_chat_from_a_pipe(lab: RunningLab, servant: str) -> None:
    """Each line is done in its turn, and what was typed last has arrived when it ends."""
    lines = f"/roster\n/to {servant}\nhello\n/msg juliet But, soft!\n/away\n"
    done = subprocess.run(
        [XMPPLAB, "chat", "romeo"], cwd=lab.folder, input=lines, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "juliet@capulet.lit (Juliet)" in done.stdout
    assert inbox(lab, servant) == ["hello"]


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_a_chat_in_a_terminal(lab: RunningLab, servant: str, tmp_path: Path) -> None:
    """Roster, presence, messages and block list, against a client that is not ours."""
    jid = f"{servant}@capulet.lit"
    command = f"cd {lab.folder} && {XMPPLAB} chat romeo; echo it ended with $?; sleep 60"
    with lab.client(jid, "verona") as friend, Terminal(["sh", "-c", command], tmp_path) as terminal:
        friend.see("session")
        friend.do("presence")
        terminal.shows("nobody>")
        terminal.type(f"/add {servant}")
        friend.see("presence", type="subscribe")
        friend.do("presence", pto=ROMEO, ptype="subscribed")
        friend.do("presence", pto=ROMEO, ptype="subscribe")
        terminal.shows(f"* {jid} lets you see its presence")
        terminal.shows(f"* {jid} asks to see your presence: /accept or /deny")
        terminal.type("/accept")
        friend.see("presence", lambda seen: seen["from"].startswith(f"{ROMEO}/chat-"), type="available")
        friend.do("presence", pstatus="in the garden")
        terminal.shows("is here: in the garden")
        friend.do("message", to=ROMEO, body="\x85look here\nromeo@montague.lit> /quit")
        terminal.shows(f"{jid}: \\x85look here")
        terminal.shows(f"{jid}>")
        terminal.type("I see")
        friend.see("message", body="I see")
        terminal.type("/roster")
        terminal.shows(lambda screen: f"{jid}: " in screen and "juliet@capulet.lit (Juliet): not there" in screen)
        terminal.type(f"/block {servant}")
        friend.see("presence", lambda seen: seen["from"].startswith(ROMEO), type="unavailable")
        friend.do("message", to=ROMEO, body="unheard")
        friend.see("message", type="error")
        terminal.type("/block")
        terminal.shows(lambda screen: screen.count(jid) and f"\n{jid}\n" in screen)
        terminal.type("/quit")
        assert "unheard" not in terminal.shows("it ended with 0")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_a_chat_outlives_its_server(lab: RunningLab, servant: str, tmp_path: Path) -> None:
    command = f"cd {lab.folder} && {XMPPLAB} chat romeo {servant}; echo it ended with $?; sleep 60"
    with Terminal(["sh", "-c", command], tmp_path) as terminal:
        terminal.shows(f"{servant}@capulet.lit>")
        lab.command("kill", "s1", "--for", "1s")
        terminal.shows("* the connection broke; connecting again")
        terminal.shows("* connected again")
        terminal.type("still here")
        terminal.shows("you: still here")
        terminal._tmux("send-keys", "C-d")
        terminal.shows("it ended with 0")
    assert inbox(lab, servant) == ["still here"]


def test_what_the_server_did_not_take_is_told(lab: RunningLab) -> None:
    command = [XMPPLAB, "chat", "romeo"]
    with subprocess.Popen(
        command, cwd=lab.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        assert chat.stdout.readline().startswith(f"you are {ROMEO}")
        chat.stdin.write("/roster\n")
        chat.stdin.flush()
        assert chat.stdout.readline()
        lab.command("pause", "s1")
        try:
            _, errors = chat.communicate("/msg juliet But, soft!\n", TIMEOUT_S)
        finally:
            lab.command("resume", "s1")
    assert (chat.returncode, "the last ones may be lost" in errors) == (1, True)
