"""The Python API of docs/python.md: its functions and classes, with their types and docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LAB = Path(__file__).parents[2] / "cluster" / "lab"
FACADE = (
    "api/labs.py", "api/lab.py", "api/account.py", "api/timeline.py", "clients/users.py", "faults.py", "networks.py",
    "tracing/prober.py",
)  # fmt: skip
"""In cluster/lab: what a program uses of it."""


def facade() -> str:
    """The functions and classes of the Python API, with their types and docstrings."""
    return "\n\n".join(part for file in FACADE for part in _public(LAB / file))


def _public(file: Path) -> Iterator[str]:
    """The public functions of a module, and of each public class the public methods."""
    tree = ast.parse(file.read_text())
    functions = [node for node in tree.body if _is_public(node, ast.FunctionDef)]
    if functions and file.name == "labs.py":
        yield "\n".join(["### Functions", "", *map(_entry, functions)])
    for each in tree.body:
        if _is_public(each, ast.ClassDef) and (methods := [n for n in each.body if _is_public(n, ast.FunctionDef)]):
            yield "\n".join([f"### {each.name}", "", _prose(each), "", *map(_entry, methods)])


def _is_public(node: ast.stmt, kind: type[ast.stmt]) -> bool:
    return isinstance(node, kind) and not node.name.startswith("_")


def _entry(function: ast.FunctionDef) -> str:
    """A list item: the call with its types, and what it does."""
    decorators = {ast.unparse(each) for each in function.decorator_list}
    returns = ast.unparse(function.returns) if function.returns else "None"
    arguments = ast.unparse(function.args).removeprefix("self, ").removeprefix("cls, ")
    if "contextmanager" in decorators:
        returns = f"context manager of {returns.partition('[')[2].removesuffix(']')}"
    arguments = "" if arguments in ("self", "cls") else arguments
    call = function.name if decorators & {"property", "cached_property"} else f"{function.name}({arguments})"
    return f"- `{call} -> {returns}`: {_prose(function)}"


def _prose(node: ast.FunctionDef | ast.ClassDef) -> str:
    return " ".join((ast.get_docstring(node) or "").split())
