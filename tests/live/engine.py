"""The Docker engine of the tests, if there is one."""

from __future__ import annotations

import gc
import hashlib
import itertools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from cluster.lab.containers.compose import IMAGE
from cluster.lab.containers.engine import STATE
from tests.live.running_lab import ROOT

HASH = """
import hashlib, pathlib, cluster
root = pathlib.Path(cluster.__file__).parent
files = sorted(root.rglob("*.py"))
print(hashlib.sha256(b"".join(str(f.relative_to(root)).encode() + f.read_bytes() for f in files)).hexdigest())
"""

_NUMBERS = itertools.count(1)


@contextmanager
def open_sockets_forgiven() -> Iterator[None]:
    """The SDK leaves its socket open when nobody answers, which must not be held against some later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def running_engine() -> docker.DockerClient | str:
    """A client of an engine that has the image of this tree, or why there is none."""
    with open_sockets_forgiven():
        try:
            client = docker.from_env()
        except DockerException as error:
            return f"a Docker engine: {error}"
    problem = _problem(client)
    if problem:
        client.close()
    return problem or client


def _problem(client: docker.DockerClient) -> str:
    """Why its image is of no use; empty where it is."""
    try:
        inside = client.containers.run(IMAGE, ["python", "-c", HASH], remove=True)
    except ImageNotFound:
        return f"the image {IMAGE!r} on the Docker engine: `make image`"
    if inside.decode().strip() != _hash(ROOT / "cluster"):
        return f"an image {IMAGE!r} that was built from this tree: `make image`"
    return ""


def _hash(root: Path) -> str:
    files = sorted(root.rglob("*.py"))
    return hashlib.sha256(b"".join(str(f.relative_to(root)).encode() + f.read_bytes() for f in files)).hexdigest()


def lacking(what: str) -> NoReturn:
    """Skip the test for want of this; in CI, which has what the tests use, fail it."""
    if os.environ.get("XMPPLAB_NEEDS_DOCKER"):
        pytest.fail(f"lacks {what}")
    pytest.skip(f"needs {what}")


def renamed(topology: Path, folder: Path) -> Path:
    """The topology with a name that no other lab has: an engine has one lab of a name, and another one may be left."""
    name = f"{topology.stem}-{os.getpid()}-{next(_NUMBERS)}"
    own = folder / topology.name
    own.write_text(topology.read_text().replace(f"name: {topology.stem}\n", f"name: {name}\n"))
    return own


def left(engine: docker.DockerClient, folder: Path) -> list[str]:
    """Names of what is on the engine of labs in this folder."""
    found = [*engine.containers.list(all=True, ignore_removed=True), *engine.networks.list()]
    return [one.name for one in found if labels_of(one).get(STATE, "").startswith(f"{folder}/")]


def labels_of(one: Any) -> dict[str, str]:
    """Of a container or a network."""
    return dict(one.attrs.get("Labels") or one.attrs.get("Config", {}).get("Labels") or {})
