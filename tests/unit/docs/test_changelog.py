"""CHANGELOG.md stays sorted: a merge that adds a line at the wrong place, or an old one again, is noticed."""

from __future__ import annotations

import re
import tomllib

from tests.live.running_lab import ROOT

LINES = (ROOT / "CHANGELOG.md").read_text().splitlines()
KINDS = ["Added", "Changed", "Fixed", "Removed"]


def test_each_change_is_under_one_heading() -> None:
    release, kind, found = "", "", []
    for line in LINES:
        if line.startswith("## "):
            release, kind = line[3:], ""
        elif line.startswith("### "):
            kind = line[4:]
        elif line.startswith("- "):
            assert kind in KINDS, f"{line!r} belongs under one of {KINDS}"
            found.append((release, line))
    assert len({line for _, line in found}) == len(found), "a line stands here twice"


def test_the_headings_are_in_order() -> None:
    for part in re.split(r"^## .*$", "\n".join(LINES), flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert headings == [kind for kind in KINDS if kind in headings]


def test_the_version_is_that_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    releases = [line for line in LINES if re.match(r"## \d", line)]
    assert releases[0].startswith(f"## {version} - ")


def test_a_change_is_no_paragraph() -> None:
    too_long = re.findall(r"^- .*(?:\n  .*){2,}", "\n".join(LINES), re.MULTILINE)
    assert too_long == []
