"""Where the processes of a lab are scraped: a file for each, as Prometheus reads them (file_sd)."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from cluster.lab.folder import LabFolder
from cluster.lab.private import write_private

LOOPBACK = "127.0.0.1"


class Target(msgspec.Struct):
    """https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config"""

    targets: tuple[str]
    """Its address."""
    labels: dict[str, str]


def write(folder: LabFolder, process: str, port: int) -> None:
    """The process of this node, its first one, is scraped here, on loopback."""
    found = Target((f"{LOOPBACK}:{port}",), {"lab": folder.name, "process": process})
    write_private(folder.target(process), msgspec.json.encode([found]))


def port(folder: LabFolder, process: str) -> int:
    """Where it is or was scraped; 0 where nobody knows."""
    with suppress(OSError, msgspec.DecodeError, ValueError):
        [found] = msgspec.json.decode(folder.target(process).read_bytes(), type=list[Target])
        return int(found.targets[0].rpartition(":")[2])
    return 0


def metrics_at(folder: LabFolder, process: str) -> str | None:
    """The URL of its metrics."""
    known = port(folder, process)
    return f"http://{LOOPBACK}:{known}/metrics" if known else None
