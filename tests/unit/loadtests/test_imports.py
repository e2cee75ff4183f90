"""A Twisted reactor or an asyncio loop in a process that gevent has patched: both stop working."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
REPORT = """
import locust, json, sys
before = set(sys.modules)
import loadtests.chat, loadtests.gateway
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_load_tests_bring_in_the_core_and_the_client_only() -> None:
    done = subprocess.run([sys.executable, "-c", REPORT], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = json.loads(done.stdout)
    ours = {".".join(name.split(".")[:2]) for name in imported if name.startswith("cluster.")}
    assert ours == {"cluster.xmpp", "cluster.client", "cluster.base"}
    assert {name.partition(".")[0] for name in imported}.isdisjoint({"twisted", "asyncio", "slixmpp", "redis"})
