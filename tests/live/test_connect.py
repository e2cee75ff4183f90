"""`xmpplab connect`: each client program that is installed comes online by itself, in a terminal or on a display."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.lab.programs import known
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.clients import WINDOW_S
from tests.live.connected import connect, needs
from tests.live.console import Terminal
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
JULIET = "juliet@capulet.lit"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), ROOT / "topologies" / "rooms.yaml").while_up()


def is_open(profile: Path) -> bool:
    """A program runs with this profile."""
    with (profile / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.mark.parametrize("client", known())
def test_it_comes_online(
    lab: RunningLab, stage: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    """With nothing typed; and a second time, with the profile that it has then."""
    needs(client)
    profile = lab.folder / ".xmpplab" / "rooms" / "clients" / client / JULIET
    watcher = stage.enter_context(lab.client(f"{JULIET}/watcher"))
    watcher.see("session")
    watcher.do("presence")
    monkeypatch.setenv("DISPLAY", ":0")
    for resource in (f"{client}-1", f"{client}-2"):  # of its own: that of a program killed just now may be back
        full = f"{JULIET}/{resource}"  # Kaidan adds letters
        with ExitStack() as shown:
            screen = connect(lab, shown, tmp_path, client, f"juliet/{resource}")
            try:
                watcher.see(
                    "presence", lambda seen, full=full: seen["from"].startswith(full), WINDOW_S, type="available"
                )
            except AssertionError as error:
                raise AssertionError(screen.said()) from error
            refused = lab.command("connect", client, "juliet", exit_code=1)
            assert f"{client} is running already as {JULIET}" in refused
        assert wait_until(lambda: not is_open(profile), PATIENCE_S)


BY_HASH = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(capath="/etc/ssl/certs")
with socket.create_connection((sys.argv[1], 5223)) as raw, context.wrap_socket(raw, server_hostname=sys.argv[1]) as tls:
    print(tls.version())
"""


def test_the_ca_is_found_by_its_hash(lab: RunningLab) -> None:
    """As Qt looks for it."""
    assert lab.command("exec", "--", sys.executable, "-c", BY_HASH, "capulet.lit") == "TLSv1.3\n"


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_a_server_that_gives_up_its_rights_trusts_the_ca(lab: RunningLab) -> None:
    """Nobody else may look into the lab's folder."""
    authority = Path(lab.ps()["ca_file"]).read_text()
    nobody = ("exec", "--", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c")
    assert authority in lab.command(*nobody, "cat /etc/ssl/certs/ca-certificates.crt")
    assert authority in lab.command(*nobody, "cat /etc/ssl/certs/*.0")


def test_bad_input(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = lab.command("connect")
    assert all(name in listed for name in known())
    said = lab.command("connect", "netscape", "juliet", exit_code=2)
    assert f"no client 'netscape' (clients: {', '.join(known())})" in said
    assert "name the account" in lab.command("connect", "profanity", exit_code=2)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "on Debian: `apt install dino-im`" in lab.command("connect", "dino", "juliet", exit_code=127)
    for client in known():  # a program that is not there, for those whose display or terminal is not there either
        assert f"{client} is not installed" in lab.command("connect", client, "juliet", exit_code=127)


def test_accounts_that_cannot_log_in(lab: RunningLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "profanity").touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "gajim").touch(0o755)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "gajim needs a display" in lab.command("connect", "gajim", "juliet", exit_code=2)

    def refused(*arguments: str, exit_code: int) -> str:
        return lab.command("connect", "profanity", *arguments, exit_code=exit_code)

    assert "`xmpplab user add paris@capulet.lit` creates it" in refused("paris@capulet.lit", exit_code=1)
    assert "no server of this lab serves 'mantua.lit'" in refused("paris@mantua.lit", exit_code=2)
    assert "no account, phone or mailbox 'paris'" in refused("paris", exit_code=2)
    assert "pass the right --password" in refused("juliet", "--password", "wrong", exit_code=1)
    lab.command("user", "add", "paris@capulet.lit", "--password", "noble")
    assert "pass --password" in refused("paris", exit_code=2)
    lab.command("user", "del", "paris@capulet.lit")


def test_down_ends_the_programs(tmp_path: Path) -> None:
    """What they write at their end would outlive the lab. With --keep they stay, and are connected again."""
    needs("profanity")
    lab = RunningLab(tmp_path / "lab", ROOT / "topologies" / "two-domains.yaml")
    lab.folder.mkdir()
    lab.up()
    try:
        with ExitStack() as stage:
            terminal = connect(lab, stage, tmp_path, "profanity", "juliet")
            assert isinstance(terminal, Terminal)
            terminal.shows("logged in successfully")
            lab.command("down", "--keep")
            terminal.shows("Lost connection.")
            lab.up()
            profile = lab.folder / ".xmpplab" / lab.name / "clients" / "profanity" / JULIET
            assert is_open(profile)
            lab.command("down")
            assert not (lab.folder / ".xmpplab").exists()
    finally:
        if (lab.folder / ".xmpplab").exists():
            lab.down()
