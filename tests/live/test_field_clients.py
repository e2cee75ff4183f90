"""Small clients from Debian's packages that scripts and bots use: Perl's sendxmpp, Go's go-sendxmpp, Ruby's xmpp4r.

None of them is as strict as the RFCs: sendxmpp's stream is from `localhost`, go-sendxmpp offers ALPN and sends an empty
`<show/>`, and xmpp4r's roster helper asks without an `id`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness import PATIENCE_S
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
BODY = "But, soft! <what> light & through yonder window breaks? ♥"


def needs(program: str, package: str) -> str:
    """Where it is; the test is skipped where it is absent."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}: apt-get install {package}")
    return found


def run(command: list[str], home: Path, said: str = "", **environment: str) -> str:
    """Its output; it must succeed."""
    done = subprocess.run(
        command, input=said, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("tls", ["STARTTLS", "direct TLS"])
def test_go_sendxmpp(verona: RunningLab, tmp_path: Path, tls: str) -> None:
    program = needs("go-sendxmpp", "go-sendxmpp")
    address = verona.node("montague.lit")["c2s" if tls == "STARTTLS" else "direct_tls"]
    login = ["-u", "romeo@montague.lit", "-p", "secret", "-j", address, *(["-t"] if tls == "direct TLS" else [])]
    with verona.client("juliet@capulet.lit/balcony") as juliet:
        juliet.do("presence")
        juliet.see("presence", type="available", from_="juliet@capulet.lit/balcony")
        said = run([program, *login, "juliet@capulet.lit"], tmp_path, BODY, SSL_CERT_FILE=verona.ps()["ca_file"])
        assert "error" not in said
        juliet.see("message", lambda seen: seen["from"].startswith("romeo@montague.lit/"), body=BODY)


def test_sendxmpp(verona: RunningLab, tmp_path: Path) -> None:
    program = needs("sendxmpp", "sendxmpp")
    address, ca_file = verona.node("montague.lit")["c2s"], verona.ps()["ca_file"]
    login = ["-u", "romeo", "-p", "secret", "-j", address, "-o", "montague.lit", "-t", f"--tls-ca-path={ca_file}"]
    with verona.client("juliet@capulet.lit/balcony") as juliet:
        juliet.do("presence")
        juliet.see("presence", type="available", from_="juliet@capulet.lit/balcony")
        run([program, *login, "juliet@capulet.lit"], tmp_path, BODY)
        juliet.see("message", lambda seen: seen["from"].startswith("romeo@montague.lit/"), body=BODY)
