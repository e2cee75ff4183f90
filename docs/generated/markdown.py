"""Tables of Markdown, and the docstrings in a piece of code."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import pairwise


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def described(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The names that are given a value, each with the docstring after it."""
    for statement, following in pairwise([*body, ast.Pass()]):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name):
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            yield target.id, " ".join(str(following.value.value).split()) if is_text else ""  # type: ignore[attr-defined]
