"""What `xmpplab simulate --shrink FILE` writes: a scenario, and the topology that it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.lab.api import BadInput


def check_writable(file: Path | None) -> None:
    """Raises BadInput before the runs if the file cannot be written."""
    if file is not None and (file.is_dir() or not os.access(file.parent, os.W_OK)):
        raise BadInput(f"--shrink: cannot write {file}; name a file in a folder that exists")


def say_none(file: Path) -> None:
    """No run failed, so there is none to cut down."""
    print(f"no run failed: {file} is not written; try other --seeds, or more --people and --troubles", file=sys.stderr)


def write(file: Path, document: Mapping[str, Any], topology: Path, added: Mapping[str, Sequence[str]]) -> None:
    """Write a scenario; if it needs accounts that the topology lacks, a topology with them beside it."""
    if added:
        beside = file.with_name(f"{file.stem}-topology.yaml")
        beside.write_text(_yaml(_with_accounts(topology, added)), encoding="utf-8")
        topology = beside
    path = os.path.relpath(topology.resolve(), file.parent.resolve())
    file.write_text(_yaml({**document, "topology": path}), encoding="utf-8")
    steps, flows = (len(document.get(key) or ()) for key in ("steps", "flows"))
    print(
        f"written: {file}, with {steps} steps and {flows} flows; `xmpplab verify {file}` runs it on a lab",
        file=sys.stderr,
    )


def _with_accounts(topology: Path, added: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    import yaml

    document: dict[str, Any] = yaml.safe_load(topology.read_text(encoding="utf-8"))
    accounts = {**(document.get("accounts") or {})}
    accounts.update({jid: {"contacts": [*contacts]} for jid, contacts in added.items()})
    return {**document, "accounts": accounts}


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)
