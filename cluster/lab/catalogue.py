"""The topologies, scenarios and load scenarios that come with the package, by name."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import cluster
from cluster.kinds.base.finding import choice
from cluster.lab.errors import BadInput


def topologies() -> dict[str, Path]:
    """The topology files by name."""
    return _files_in(_folder())


def scenarios() -> dict[str, Path]:
    """The scenario files by name."""
    return _files_in(_folder() / "scenarios")


def load_scenarios() -> dict[str, Path]:
    """The files of `loadtests` that say to be a scenario, by name; the others are their helpers."""
    found = find_spec("loadtests")
    folders = (found and found.submodule_search_locations) or ()
    files = {name: file for folder in folders for name, file in _files_in(Path(folder), "*.py").items()}
    return {name: file for name, file in files.items() if _is_scenario(file)}


def topology_path(text: str) -> Path:
    """The topology file at this path, otherwise the topology of this name. Raises BadInput."""
    return _path(text, "topology", topologies())


def named(topology: str) -> str:
    """What a user writes for the topology file at this path: its name, if it is included."""
    return next((name for name, path in topologies().items() if str(path) == topology), topology)


def scenario_path(text: str) -> Path:
    """The scenario file at this path, otherwise the scenario of this name. Raises BadInput."""
    return _path(text, "scenario", scenarios())


def load_scenario_path(text: str) -> Path:
    """The locust file at this path, otherwise the load scenario of this name. Raises BadInput."""
    return _path(text, "load scenario", load_scenarios())


def paths(text: str) -> list[Path]:
    """The file at this path, otherwise the topology and the scenario of this name. Raises BadInput."""
    named = [known[text] for known in (topologies(), scenarios()) if text in known]
    if _is_path(text) or not named:
        return [_path(text, "topology or scenario", {**topologies(), **scenarios()})]
    return named


def _is_path(text: str) -> bool:
    """False for a text that can only be a name. A wrong path is a path: its error comes when it is read."""
    path = Path(text)
    return path.is_file() or path.suffix != "" or path.parent != Path()


def _path(text: str, kind: str, known: Mapping[str, Path]) -> Path:
    if _is_path(text):
        return Path(text)
    if text not in known:
        here = next((file for file in (f"{text}.yaml", f"{text}.py") if Path(file).is_file()), "")
        hint = f"; did you mean the file {here}?" if here else choice(text, known)
        raise BadInput(f"no file and no {kind} {text!r}{hint}")
    return known[text]


def _folder() -> Path:
    """In the package if it was installed from a wheel, next to the package in a checkout."""
    package = Path(cluster.__file__).parent
    installed = package / "topologies"
    return installed if installed.is_dir() else package.parent / "topologies"


def _files_in(folder: Path, pattern: str = "*.yaml") -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.glob(pattern))}


def _is_scenario(file: Path) -> bool:
    try:
        return (ast.get_docstring(ast.parse(file.read_bytes())) or "").startswith("Scenario ")
    except (OSError, SyntaxError, ValueError):
        return False
