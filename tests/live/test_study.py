"""docs/study.md, done as it says, in less time."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from cluster.lab.wait import wait_until
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
TIMEOUT_S = 120.0
needs_pandas = pytest.mark.skipif(find_spec("pandas") is None, reason="needs pandas: pip install -e '.[ci]'")


@needs_pandas
def test_what_the_p99_across_domains_does_while_s2_is_killed(verona: RunningLab) -> None:
    if verona.driver == "docker":
        pytest.skip("labs in containers have no supervisor")
    argv = [XMPPLAB, "load", "chat", "-u", "30", "-t", "16s", "--csv", "run", "--html", "run.html"]
    with subprocess.Popen(argv, cwd=verona.folder, stdout=subprocess.PIPE, text=True) as load:
        history = verona.folder / "run_stats_history.csv"
        assert wait_until(lambda: history.exists() and len(history.read_text().splitlines()) > 6, TIMEOUT_S)
        verona.command("kill", "s2", "--for", "2s")
        told, _ = load.communicate(timeout=TIMEOUT_S)
    assert re.search(r"^WHERE THE TIME WENT +FOLLOWED ", told, re.MULTILINE)
    for hop in ("s1", "link s1→s2", "s2"):
        assert re.search(rf"^{hop} +[\d,]+ +\d", told, re.MULTILINE), told
        assert f"\n{hop}," in (verona.folder / "run_hops.csv").read_text()
    assert "deliver cross-domain" in (verona.folder / "run.html").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "study.md").read_text(), re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=verona.folder, capture_output=True, text=True, check=True)
    found = re.search(r"^before: (\d+) ms; at the worst (\d+) ms; (\d+) batches waited for S2;", done.stdout)
    assert found, done.stdout
    assert int(found[2]) >= 1_000  # due while it was down, for at least two seconds
    assert int(found[3]) > 0
