"""README.md lists every command in its group, and every standard that the code implements."""

from __future__ import annotations

import re

import yaml

from cluster.cli.app import groups
from tests.live.running_lab import ROOT

README = (ROOT / "README.md").read_text()


def test_the_commands_are_those_of_the_help_in_its_groups() -> None:
    section = re.search(r"^## Commands$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert section is not None
    headings = re.split(r"^\*\*(.+)\*\*$", section[1], flags=re.MULTILINE)[1:]
    listed = {
        group: list(dict.fromkeys(re.findall(r"^    xmpplab (\w+)", text, re.MULTILINE)))
        for group, text in zip(headings[::2], headings[1::2], strict=True)
    }
    assert {group: sorted(names) for group, names in listed.items()} == {
        group: sorted(commands) for group, commands in groups().items()
    }
    assert list(listed) == list(groups())


def test_each_standard_is_cited_in_the_code() -> None:
    standards = yaml.safe_load((ROOT / "docs" / "standards.yaml").read_text())
    code = "".join(path.read_text() for path in (ROOT / "cluster").rglob("*.py"))
    declared = {f"XEP-{int(number):04}" for number in re.findall(r"\bxep=(\d+)", code)}
    assert [name for name in standards if name not in code and name not in declared] == []
