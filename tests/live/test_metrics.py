"""What the operator of a process asks over HTTP, and the level of its log."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from cluster.lab.containers import health
from cluster.lab.metrics import PROCESS, SERVER
from cluster.lab.wait import wait_until
from loadtests.bench.peer import free_ports
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
PATIENCE_S = 60.0
PROMETHEUS = shutil.which("prometheus")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The figure of RFC 3920: servers, a gateway, a network."""
    lab = RunningLab(tmp_path_factory.mktemp("metrics"), ROOT / "topologies" / "rfc3920.yaml")
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def answer(lab: RunningLab, node: str, path: str) -> tuple[int, str]:
    """The status code and the body."""
    [shown] = [each for each in lab.ps()["nodes"] if each["name"] == node]
    try:
        with urllib.request.urlopen(shown["metrics"].removesuffix("/metrics") + path, timeout=PATIENCE_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics(lab: RunningLab, node: str) -> dict[str, float]:
    """By name and labels."""
    code, text = answer(lab, node, "/metrics")
    assert code == 200
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_a_client_does_is_counted(lab: RunningLab) -> None:
    before = metrics(lab, "s1")
    lab.command("send", "romeo", "juliet", "But, soft! what light through yonder window breaks?")
    after = metrics(lab, "s1")
    c2s = '{connection_type="c2s",host_type="montague.lit"}'
    assert after[f"xmpp_element_in_message_count{c2s}"] == before[f"xmpp_element_in_message_count{c2s}"] + 1
    logins = 'sm_session_logins{host_type="montague.lit"}'
    assert after[logins] == before[logins] + 1
    assert wait_until(lambda: metrics(lab, "s1")['sm_session_count{host_type="montague.lit"}'] == 0, PATIENCE_S)
    assert [name for name in after if "@" in name] == []


def test_every_process_tells_all_that_is_documented(lab: RunningLab) -> None:
    for node in ("s1", "s2", "g1", "fn1"):
        names = {name.partition("{")[0] for name in metrics(lab, node)}
        assert names == {*PROCESS, *(each.name for each in SERVER if node.startswith("s"))}


def test_without_redis_a_process_lives_and_is_not_ready(lab: RunningLab) -> None:
    assert answer(lab, "s2", "/ready") == (200, "ready\n")
    lab.command("pause", "redis")
    try:
        code, text = answer(lab, "s2", "/ready")
        assert (code, text) == (503, "not ready: Redis does not answer\n")
        assert answer(lab, "s2", "/live") == (200, "live\n")
    finally:
        lab.command("resume", "redis")
    assert wait_until(lambda: answer(lab, "s2", "/ready")[0] == 200, PATIENCE_S)


def test_the_health_check_of_a_container_asks_a_running_process(lab: RunningLab) -> None:
    port = int(str(lab.node("montague.lit")["metrics"]).rpartition(":")[2].partition("/")[0])
    for is_alive in (True, False):
        _, request, awaited = health.question(is_alive, lab="/nowhere")
        assert wait_until(
            partial(health.is_healthy, port, request, awaited), PATIENCE_S
        )  # the Redis of the test before


def test_the_address_outlives_the_process(lab: RunningLab) -> None:
    before = lab.node("capulet.lit")
    lab.command("restart", "s2")
    after = lab.node("capulet.lit")
    assert (after["metrics"], after["pid"] != before["pid"]) == (before["metrics"], True)
    assert wait_until(lambda: answer(lab, "s2", "/ready")[0] == 200, PATIENCE_S)


def test_a_body_is_refused(lab: RunningLab) -> None:
    url = str(lab.node("montague.lit")["metrics"])
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, data=b"x" * 1000, timeout=PATIENCE_S)
    refused.value.close()
    assert refused.value.code == 413


def test_the_level_of_the_log_changes_while_a_node_runs(lab: RunningLab) -> None:
    def logged() -> bool:
        return "romeo@montague.lit/" in lab.command("logs", "s1")

    lab.command("send", "romeo", "juliet", "wherefore?")
    assert not logged()
    assert lab.command("logs", "s1", "--set-level", "debug") == "s1 logs from debug on (before: info)\n"
    lab.command("send", "romeo", "juliet", "wherefore?")
    assert wait_until(logged, PATIENCE_S)
    told = lab.command("logs", "--set-level", "info").splitlines()
    assert "s1 logs from info on (before: debug)" in told
    assert "g1 logs from info on (before: info)" in told
    assert "no levels" in lab.command("logs", "redis", "--set-level", "debug", exit_code=2)


@contextmanager
def prometheus(folder: Path, targets: Path) -> Iterator[str]:
    """Debian's, with the scrape configuration of docs/metrics.md; its address."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    _, _, rest = page.partition("    scrape_configs:\n")
    lines = ["    scrape_configs:", *rest.partition("\n\n")[0].splitlines()]
    text = "\n".join(line.removeprefix("    ") for line in lines)
    text = text.replace("/home/me/play/.xmpplab/rfc3920/targets", str(targets)).replace("5s", "1s")
    (folder / "prometheus.yml").write_text(text)
    at = f"127.0.0.1:{free_ports(1)[0]}"
    assert PROMETHEUS is not None
    argv = [
        PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={at}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stderr=log, env=os.environ) as process:
        try:
            yield f"http://{at}"
        finally:
            process.terminate()


@pytest.mark.skipif(PROMETHEUS is None, reason="needs Prometheus: apt-get install prometheus")
def test_prometheus_finds_and_scrapes_every_process(lab: RunningLab, tmp_path: Path) -> None:
    def asked(query: str) -> dict[str, float]:
        """The values by node."""
        try:
            with urllib.request.urlopen(f"{at}/api/v1/query?query={quote(query)}", timeout=PATIENCE_S) as reply:
                found = json.load(reply)["data"]["result"]
        except urllib.error.URLError:  # it has not started yet
            return {}
        return {each["metric"]["process"]: float(each["value"][1]) for each in found}

    with prometheus(tmp_path, lab.folder / ".xmpplab" / "rfc3920" / "targets") as at:
        everybody = dict.fromkeys(("s1", "s2", "g1", "fn1"), 1.0)
        assert wait_until(lambda: asked('up{lab="rfc3920"}') == everybody, PATIENCE_S), (tmp_path / "log").read_text()
        assert set(asked("xmpp_element_in_message_count")) == {"s1", "s2"}
