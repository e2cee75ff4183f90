"""Clients made with xmpp.js, which shares nothing with slixmpp."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.live.clients import RealProgram
from tests.live.running_lab import RunningLab

NODE, NODE_MODULES = shutil.which("node"), Path(sys.prefix) / "lib" / "node_modules"
needs_xmppjs = pytest.mark.skipif(
    not (NODE and (NODE_MODULES / "@xmpp" / "client").exists()),
    reason=f"needs node and xmpp.js: npm install --global --prefix {sys.prefix} @xmpp/client@0.14.0",
)


def xmppjs(lab: RunningLab, jid: str, password: str = "secret") -> RealProgram:
    """A client that logs in with what `ps` says."""
    domain = jid.partition("/")[0].partition("@")[2]
    host, _, port = lab.node(domain)["c2s"].rpartition(":")
    assert NODE
    return RealProgram(
        "xmppjs_client.mjs", str(NODE_MODULES), jid, password, host, port,
        runs_on=NODE, NODE_EXTRA_CA_CERTS=lab.ps()["ca_file"],
    )  # fmt: skip
