"""What real TLS clients get that offer a protocol by ALPN (RFC 7301, XEP-0368): OpenSSL's, and one in Go."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live


def s_client(lab: RunningLab, port: int, *options: str) -> str:
    """What `openssl s_client` prints of its connection to montague.lit."""
    node = lab.node("montague.lit")
    host = node["c2s"].rpartition(":")[0]
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", lab.ps()["ca_file"], *options]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize("offered", ["xmpp-client", "http/1.1", "xmpp-client,foo"])
def test_alpn(verona: RunningLab, offered: str) -> None:
    has_ours = "xmpp-client" in offered
    behind_starttls = s_client(verona, 5222, "-starttls", "xmpp", "-xmpphost", "montague.lit", "-alpn", offered)
    assert "Verify return code: 0 (ok)" in behind_starttls
    assert ("ALPN protocol: xmpp-client" if has_ours else "No ALPN negotiated") in behind_starttls
    direct = s_client(verona, 5223, "-alpn", offered)
    assert ("ALPN protocol: xmpp-client" if has_ours else "alert number 120") in direct
    web = s_client(verona, 5281, "-alpn", offered)
    assert ("alert number 120" if has_ours else "ALPN protocol: http/1.1") in web


@pytest.mark.skipif(shutil.which("go-sendxmpp") is None, reason="there is no go-sendxmpp here (Debian has it)")
@pytest.mark.parametrize("direct", [False, True])
def test_go_sendxmpp(verona: RunningLab, direct: bool) -> None:
    host, _, port = verona.node("montague.lit")["c2s"].rpartition(":")
    with verona.client("juliet@capulet.lit/balcony") as juliet:
        juliet.see("session", jid="juliet@capulet.lit/balcony")
        juliet.do("presence")
        juliet.see("presence", type="available", from_="juliet@capulet.lit/balcony")
        command = ["go-sendxmpp", "-u", "romeo@montague.lit", "-p", "secret", "-n"]
        command += ["-j", f"{host}:5223", "-t"] if direct else ["-j", f"{host}:{port}"]
        command.append("juliet@capulet.lit")
        done = subprocess.run(command, input="hi\n", capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        juliet.see("message", body="hi")
