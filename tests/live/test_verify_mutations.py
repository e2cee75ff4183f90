"""The checker is checked: a copy of the server gets one fault after the other, and each must fail the run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live import mutation
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live

SCENARIO = """\
name: mutation
flows:
  - {from: romeo@montague.lit, to: juliet@capulet.lit, rate: 400, duration: 1500ms}
  - {from: romeo@montague.lit, to: juliet@capulet.lit, kind: presence, rate: 20, duration: 1500ms}
  - {from: romeo@montague.lit, to: juliet@capulet.lit, kind: iq, rate: 20, duration: 1500ms}
"""

WORDS = {
    "drop": ("BROKEN  lost: ", "never seen again"),
    "swap of neighbours": ("BROKEN  out of order: 1,", "after number 100"),
    "swap over 400": ("BROKEN  out of order: 1,", "after number 499"),
    "twice with the same id": ("BROKEN  duplicated with the same stanza-id: ", "again at"),
    "twice with a new id": ("BROKEN  duplicated: ", "with another stanza-id"),
    "body altered": ("BROKEN  altered: ", "body was altered: "),
    "body emptied": ("BROKEN  altered: ", "body is empty"),
    "from": ("BROKEN  altered: ", "from is 'mercutio@montague.lit/street', not 'romeo@montague.lit/verify-"),
    "type": ("BROKEN  altered: ", "type is 'normal', not 'chat'"),
    "payload": ("BROKEN  altered: ", "payload <body/> is missing"),
    "copied to somebody else": ("BROKEN  misdelivered: ", "/bystander got it at"),
    "turned into an error": ("BROKEN  altered: ", "type is 'error', not 'chat'"),
    "all presence": ("BROKEN  lost: 30,", "lost, romeo@montague.lit → juliet@capulet.lit (presence): "),
    "all iq": ("BROKEN  lost: 30,", "lost, romeo@montague.lit → juliet@capulet.lit (iq): "),
    "dropped with a lie in the journal": ("BROKEN  lost: ", "and none was set there and then"),
}
"""What the report must say."""


class MutatedLab(RunningLab):
    """Its servers run the copy; the checker that looks at it does not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ROOT / "topologies" / "two-domains.yaml")
        self.scenario = folder / "mutation.yaml"
        self.scenario.write_text(SCENARIO)
        self._copy = folder / "copy"
        self._mutation = folder / "mutation"
        shutil.copytree(ROOT / "cluster", self._copy / "cluster", ignore=shutil.ignore_patterns("__pycache__"))
        mutation.put_into(self._copy / "cluster")
        self.mutate("")

    def up(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self._copy), mutation.MUTATION: str(self._mutation)}
        subprocess.run([XMPPLAB, "up", self.topology, "-d"], cwd=self.folder, env=environment, check=True)

    def mutate(self, name: str) -> None:
        """From now on the receiving server has this fault; none where it is empty."""
        new = self._mutation.with_suffix(".new")
        new.write_text(name)
        new.replace(self._mutation)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MutatedLab]:
    lab = MutatedLab(tmp_path_factory.mktemp("mutations"))
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def test_all_mutations_are_tried() -> None:
    assert WORDS.keys() == mutation.KINDS.keys()
    assert len(WORDS) == 15


@pytest.mark.parametrize("name", WORDS)
def test_a_mutation_fails_the_run(lab: MutatedLab, name: str) -> None:
    lab.mutate(name)
    try:
        told = lab.command("verify", str(lab.scenario), exit_code=1)
    finally:
        lab.mutate("")
    for words in WORDS[name]:
        assert words in told
    assert told.count("BROKEN  ") == 1, told  # nothing that is not so


def test_without_a_mutation_all_is_well_three_times_on_a_loaded_machine(lab: MutatedLab) -> None:
    """Nothing is found that is not there, however late everything comes."""
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(busy.kill)
        for _ in range(3):
            told = lab.command("verify", str(lab.scenario), "--duration", "1s", "--format", "json")
            report = json.loads(told[told.index("[") : told.rindex("]") + 1])[0]
            assert report["broken"] == []
            assert report["total"]["delivered"] == report["total"]["sent"] == 440
