"""Clients that connect and never log in: they cost little, they are ended in time, and others are served meanwhile."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cluster.server.c2s.client_stream import HEADER_TIMEOUT_S, LOGIN_TIMEOUT_S
from cluster.streams.connection import CLOSE_TIMEOUT_S
from tests.conformance.ours import TOPOLOGY, site_of
from tests.conformance.site import Site
from tests.harness import ReactorThread
from tests.live.clients import RealProgram
from tests.live.running_lab import RunningLab
from tests.network import MONTAGUE, Network, watched_log

pytestmark = pytest.mark.live
MANY = 10_000
KIB_EACH = 32
"""A bound on what one of them may cost; about 9 KiB are measured."""
USUAL_SOFT_LIMIT = 1_024
"""Open files of a process where nobody has raised it: Debian's default."""


@contextmanager
def usual_limit_of_files() -> Iterator[None]:
    """What is started meanwhile begins with the limit that Debian's users have; it may raise it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + USUAL_SOFT_LIMIT:
        pytest.skip(f"needs {MANY + USUAL_SOFT_LIMIT} open files for a process; the hard limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_SOFT_LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path, TOPOLOGY)
    with usual_limit_of_files():
        lab.up()
    yield lab
    lab.down()


def crowd(address: tuple[str, int], step: str, count: int) -> RealProgram:
    return RealProgram("crowd.py", address[0], str(address[1]), MONTAGUE, step, str(count))


def is_served(site: Site) -> None:
    """Somebody registers, logs in, and talks with somebody in another domain."""
    romeo, juliet = site.friends()
    romeo.sync(juliet.domain.name)
    site.close_clients()


def test_ten_thousand_connections_that_say_nothing(lab: RunningLab) -> None:
    """And some on the port for direct TLS, who cannot be told anything: they are cut off a little later."""
    site = site_of(lab)
    is_served(site)  # so that all that a server does once is done
    server = psutil.Process(lab.node(MONTAGUE)["pid"])
    host, _, port = lab.node("shakespeare.lit")["direct_tls"].rpartition(":")
    before_bytes = server.memory_info().rss
    with crowd((host, int(port)), "nothing", 100) as untold, crowd(site.here.address, "nothing", MANY) as silent:
        for each in (untold, silent):
            each.see("waiting")
        is_served(site)
        assert server.memory_info().rss - before_bytes < MANY * KIB_EACH * 1024
        silent.see("ended", told=MANY, cut_off=0)
        is_served(site)
        untold.see("ended", told=0, cut_off=100)


@pytest.mark.parametrize(
    ("step", "limit_s"), [("half a header", HEADER_TIMEOUT_S), ("header", LOGIN_TIMEOUT_S), ("login", LOGIN_TIMEOUT_S)]
)
def test_connections_that_stop_on_their_way(reactor_thread: ReactorThread, step: str, limit_s: float) -> None:
    """Over real sockets, to a server whose clock the test moves: nobody waits for a minute."""
    reactor, count = reactor_thread.reactor, 500
    with watched_log() as failures:
        network = Network()
        network.account("romeo@montague.lit")
        streams = network.servers[MONTAGUE].streams

        async def listen() -> object:
            return reactor.listenTCP(0, streams, backlog=1024, interface="127.0.0.1")

        def pass_time(seconds: float) -> None:
            reactor.callFromThread(network.advance, seconds)

        port = reactor_thread.run(listen)
        with crowd(("127.0.0.1", port.getHost().port), step, count) as silent:
            silent.see("waiting")
            pause = threading.Event()
            while len(streams.streams) < count:  # asyncio says that it is connected ahead of the server's accept
                pause.wait(0.01)
            pass_time(limit_s)
            silent.see("told")
            pass_time(CLOSE_TIMEOUT_S)
            silent.see("ended", told=count, cut_off=0)

        async def stop() -> None:
            await port.stopListening()

        reactor_thread.run(stop)
        assert not streams.streams
    assert not failures
