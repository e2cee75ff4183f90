"""Our own servers, as a user starts them: a lab that `xmpplab up` brings up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.site import Domain, Site
from tests.live.running_lab import RunningLab

TOPOLOGY = Path(__file__).with_name("conformance.yaml")


@contextmanager
def ours(folder: Path) -> Iterator[Site]:
    """A running lab of the three domains."""
    lab = RunningLab(folder, TOPOLOGY)
    try:
        lab.up()
    except AssertionError as error:  # which a test that is expected to fail would take for its own
        raise RuntimeError(str(error)) from None
    try:
        yield site_of(lab)
    finally:
        lab.down()


def site_of(lab: RunningLab) -> Site:
    """The three domains of a lab that is up."""
    state = lab.ps()
    domains = {}
    for node in state["nodes"]:
        if node.get("domain"):
            host, _, port = node["c2s"].rpartition(":")
            domains[node["domain"]] = Domain(node["domain"], (host, int(port)), state["ca_file"])
    return Site("xmpplab", domains["montague.lit"], domains["capulet.lit"], domains["shakespeare.lit"])
