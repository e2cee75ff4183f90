"""The scenarios that come with the package, by their names."""

from __future__ import annotations

from pathlib import Path

import cluster
from cluster.kinds.base.finding import choice
from cluster.lab.errors import BadInput


def scenarios() -> dict[str, Path]:
    """Their files by name: inside the package where it was installed from a wheel, next to it in a checkout."""
    package = Path(cluster.__file__).parent
    installed, checkout = package / "topologies" / "scenarios", package.parent / "topologies" / "scenarios"
    return {file.stem: file for file in sorted((installed if installed.is_dir() else checkout).glob("*.yaml"))}


def scenario_path(text: str) -> Path:
    """The file that is meant: one at this path, else the scenario of this name. Raises BadInput."""
    path = Path(text)
    if path.exists() or path.suffix or path.parent != Path():
        return path  # a path that is wrong is told so where it is read
    known = scenarios()
    if text not in known:
        raise BadInput(f"there is no file and no scenario {text!r}{choice(text, known)}")
    return known[text]
