"""Console clients from Debian's packages, as a person uses them: login, roster, presence, and chat in both directions.

profanity speaks through libstrophe and OpenSSL, mcabber through loudmouth and GnuTLS.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.clients import RealClient
from tests.live.console import Terminal
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
JULIET = "juliet@capulet.lit/balcony"


def needs(program: str) -> None:
    """Skip the test where the program or tmux is absent."""
    lacking = [each for each in ("tmux", program) if shutil.which(each) is None]
    if lacking:
        pytest.skip(f"needs {' and '.join(lacking)}: apt-get install {' '.join(lacking)}")


@pytest.fixture
def stage(verona: RunningLab) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def juliet_of(verona: RunningLab, stage: ExitStack) -> RealClient:
    """The other end of each conversation: slixmpp, in another domain, not yet available."""
    juliet = stage.enter_context(verona.client(JULIET))
    juliet.see("session")
    return juliet


def test_profanity(verona: RunningLab, stage: ExitStack, tmp_path: Path) -> None:
    needs("profanity")
    romeo = "romeo@montague.lit/profanity"
    state = verona.ps()
    host, _, port = verona.node("montague.lit")["c2s"].rpartition(":")
    juliet = juliet_of(verona, stage)
    profanity = stage.enter_context(Terminal(["profanity"], tmp_path, SSL_CERT_FILE=state["ca_file"]))
    profanity.shows("Type '/help'")
    profanity.type(f"/connect {romeo} server {host} port {port} tls force")
    profanity.shows("Enter password:")
    profanity.type("wrong")
    profanity.shows("Login failed.")
    profanity.type(f"/connect {romeo} server {host} port {port} tls force")
    profanity.shows("Enter password:")
    profanity.type("secret")
    profanity.shows("logged in successfully, online (priority 0)")
    profanity.shows("[TLS] [online]")

    def is_listed(name: str, under: str) -> re.Pattern[str]:  # in the roster at the right
        return re.compile(rf"{under} \(\d+\) *\n(?:.*  (?!{under})\w+ *\n)*?.*  {name}\b")

    for name in ("Juliet", "Mercutio", "Benvolio"):
        profanity.shows(is_listed(name, "Offline").search)
    juliet.do("presence", pstatus="on the balcony")
    profanity.shows('++ Juliet (balcony) is online, "on the balcony"')
    profanity.shows(is_listed("Juliet", "Online").search)
    juliet.see("presence", type="available", from_=romeo)
    profanity.type('/status set online "in love"')
    juliet.see("presence", type="available", from_=romeo, status="in love")

    juliet.do("message", to=romeo, body="Good even to my ghostly confessor. ♥")
    profanity.shows("<< chat message: Juliet/balcony (win 2)")
    profanity.type("/msg juliet@capulet.lit But, soft! <what> light & through")
    juliet.see("message", type="chat", from_=romeo, body="But, soft! <what> light & through")
    profanity.shows("Good even to my ghostly confessor. ♥")
    profanity.shows("me: But, soft! <what> light & through")

    juliet.do("quit")
    profanity.shows("Juliet [offline]")
    nurse = stage.enter_context(verona.client("nurse@capulet.lit/kitchen"))
    nurse.see("session")
    profanity.type("/msg nurse@capulet.lit ho!")
    nurse.do("presence")
    nurse.see("message", body="ho!")
    profanity.type("/quit")


def test_mcabber(verona: RunningLab, stage: ExitStack, tmp_path: Path) -> None:
    needs("mcabber")
    host, _, port = verona.node("montague.lit")["c2s"].rpartition(":")
    settings = tmp_path / "mcabberrc"
    settings.touch(0o600)  # it refuses one that others may read
    settings.write_text(
        "set jid = romeo@montague.lit\nset password = secret\n"
        f"set server = {host}\nset port = {port}\nset tls = 1\nset ssl_ignore_checks = 0\n"
        f"set ssl_ca = {verona.ps()['ca_file']}\nset beep_on_message = 0\n"
    )
    juliet = juliet_of(verona, stage)
    mcabber = stage.enter_context(Terminal(["mcabber", "-f", str(settings)], tmp_path))
    mcabber.shows("Connection established.")
    for name in ("Juliet", "Mercutio", "Benvolio"):
        mcabber.shows(f"[_] {name}")
    juliet.do("presence", pstatus="on the balcony")
    mcabber.shows("[o] Juliet")
    is_mcabber = re.compile(r"romeo@montague\.lit/mcabber\.\w+").fullmatch  # it makes a new resource each time
    romeo = juliet.see("presence", lambda seen: is_mcabber(seen["from"]), type="available")["from"]
    assert "error" not in mcabber.screen()

    mcabber.type("/roster search Juliet")
    mcabber.shows("Buddy: Juliet")
    mcabber.type("/say But, soft! <what> light & through")
    juliet.see("message", from_=romeo, body="But, soft! <what> light & through")
    juliet.do("message", to=romeo, body="Good even to my ghostly confessor. ♥")
    mcabber.shows("Good even to my ghostly confessor. ♥")
    mcabber.type("/status online in love")
    juliet.see("presence", type="available", from_=romeo, status="in love")
    juliet.do("presence", ptype="unavailable")
    mcabber.shows("[_] Juliet")
    juliet.do("presence")
    mcabber.shows("[o] Juliet")
    mcabber.type("/quit")
    juliet.see("presence", type="unavailable", from_=romeo)
