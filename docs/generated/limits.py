"""The bounds of docs/limits.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path

from cluster.store import limits
from cluster.topology.model import Router, ServerSettings, Trace
from docs.generated.markdown import described, table

ROOT = Path(__file__).parents[2]

_BOUND = re.compile(r"_?(MAX|MOST|PAGE)_\w+|MANY\w*|(\w+_)?(TIMEOUT|PATIENCE|KEPT)_S|REMEMBERED|BACKLOG")
"""The names of constants of modules that are bounds; a number is one of this name, its docstring says what it is."""
_BOUNDED_KEY = re.compile(r"\w+_(bytes|messages|per_minute)|max_backlog")


def limit_keys() -> str:
    """The bounds that a topology may change."""
    rows = []
    for place, section in (("", ServerSettings), ("trace.", Trace), ("router.", Router)):
        for key, field in section.model_fields.items():
            if _BOUNDED_KEY.fullmatch(key):
                text = " ".join((field.description or "").split())
                rows.append([f"`{place}{key}`", _quantity(key.upper(), field.default), text])
    return table(["key", "default", "what it bounds"], rows)


def limits_of_accounts() -> str:
    """How much is kept for one account."""
    tree = ast.parse(Path(limits.__file__).read_text())
    [fields] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Limits"]
    rows = []
    for name, text in described(fields):
        limit = getattr(limits.DEFAULTS, name)
        if isinstance(limit, int):  # of all accounts together: a key of the topology
            continue
        rows.append([name, f"{limit.count:,}", _quantity("_BYTES", limit.size_bytes), text])
    return table(["of", "how many", "of how many bytes", "what they are"], rows)


def bounds() -> str:
    """Every bound that is a constant of the code, by package."""
    parts = []
    for package, rows in groupby(_bounds(), key=lambda row: row[0]):
        head = ["where", "bound", "value", "what it bounds"]
        parts += [f"### `{package}`", "", table(head, (row[1:] for row in rows)), ""]
    return "\n".join(parts).rstrip()


def _bounds() -> Iterator[list[str]]:
    for path in sorted(ROOT.glob("cluster/*/**/*.py"), key=lambda path: (path.parent, path)):
        module = path.relative_to(ROOT).with_suffix("")
        for name, text in described(ast.parse(path.read_text()).body):
            if _BOUND.fullmatch(name):
                value = getattr(import_module(".".join(module.parts)), name)
                if isinstance(value, int | float):
                    yield [str(module.parent), f"`{path.name}`", f"`{name}`", _quantity(name, value), text]


def _quantity(name: str, value: float) -> str:
    if name.endswith("_S"):
        return f"{value:,g} s"
    if not name.endswith("_BYTES"):
        return f"{value:,}"
    for factor, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= factor and value % factor == 0:
            return f"{value / factor:,g} {unit}"
    return f"{value:,} bytes"
