"""A file that a page, a comment or a docstring names is there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("loadtests/*.md")])
SOURCES = sorted(path for folder in ("cluster", "loadtests", "docs", "tests") for path in (ROOT / folder).rglob("*.py"))
FOLDERS = ("", "cluster", "cluster/xmpp", "docs", "tests")
"""What the paths of pages are relative to; those of a comment also to the folder of its file, and its parents."""
EXAMPLES = {
    "FILE.py", "mine.py", "neighbours.py", "topologies/NAME.yaml", "cluster/kinds/daytime.py",
    "cluster/networks/daytime.py",
}  # fmt: skip
"""Files of the reader's own."""

LINK = re.compile(r"\]\(([^)#:\s]+)(?:#([\w-]+))?\)")
FILE = re.compile(
    r"(?<![\w./<*{-])((?:[\w-]+/)*[\w-]+\.(?:py|md)|(?:topologies|docs|compose)/[\w/.-]+\.(?:yaml|yml|json))\b"
)
FOLDER = re.compile(r"`((?:cluster|docs|tests|topologies|loadtests|compose|examples)(?:/\w+)*)/?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = page.parent / target
        assert file.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(file), f"{target} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    assert missing(text, page) == []
    assert [folder for folder in FOLDER.findall(text) if not (ROOT / folder).exists()] == []


def test_files_that_comments_and_docstrings_name_are_there() -> None:
    found = {str(path.relative_to(ROOT)): missing_in_prose(path.read_text(), path) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


def missing_in_prose(source: str, path: Path) -> list[str]:
    """To tell prose from code takes much longer than to look for files in both."""
    return missing("\n".join(prose(source)), path) if missing(source, path) else []


def missing(text: str, page: Path) -> list[str]:
    """Names of files that are nowhere; a name without a folder may be that of any file of the project."""
    parents = [parent for parent in page.parents if parent.is_relative_to(ROOT)]
    return [
        name
        for name in dict.fromkeys(FILE.findall(text))
        if name not in EXAMPLES
        and ("/" in name or name not in names_of_files())
        and not any((folder / name).exists() for folder in (*parents, *(ROOT / each for each in FOLDERS)))
    ]


@cache
def names_of_files() -> frozenset[str]:
    folders = ("cluster", "docs", "loadtests", "tests", "compose", "topologies", "examples")
    return frozenset(
        path.name for paths in (ROOT.glob("*"), *((ROOT / each).rglob("*") for each in folders)) for path in paths
    )


@cache
def anchors(page: Path) -> frozenset[str]:
    """As a forge makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


def prose(source: str) -> Iterator[str]:
    """The comments, and strings that are statements: docstrings, also of attributes."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
