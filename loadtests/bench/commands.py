"""The time of commands that have nothing to do: in a folder without a lab, next to a Python that only starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from loadtests.bench import report

XMPPLAB = str(Path(sys.executable).with_name("xmpplab"))
COMMANDS: dict[str, list[str]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    **{
        f"xmpplab {words}": [XMPPLAB, *words.split()]
        for words in ("--help", "--version", "ps --help", "ps", "ls", "logs", "user ls", "validate rfc3920")
    },
}
AIM_S = {"xmpplab --help": 0.15}
USUAL_AIM_S = 0.3


def commands(turns: int, tell: Callable[[str], None]) -> str:
    """The CPU time of each, taken in turns. They wait for nothing: so long does a person wait on an idle machine."""
    cpu_s: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as empty:
        for turn in range(turns + 1):
            for name, command in COMMANDS.items():
                used_s = _cpu_s(command, Path(empty))
                if turn:  # the first one reads the files from the disk
                    cpu_s[name].append(used_s)
            tell(f"turn {turn} of {turns} is done")
    tell(f"all figures: {report.save('commands', {'machine': report.machine(), 'cpu_s': cpu_s})}")
    rows = ["| command | CPU, least | median | aim |", "| --- | --- | --- | --- |"]
    for name in COMMANDS:
        aim = f"≤ {AIM_S.get(name, USUAL_AIM_S) * 1e3:.0f} ms" if name.startswith("xmpplab") else ""
        rows.append(f"| `{name}` | {min(cpu_s[name]) * 1e3:.0f} ms | {median(cpu_s[name]) * 1e3:.0f} ms | {aim} |")
    return "\n".join(rows)


def _cpu_s(command: list[str], folder: Path) -> float:
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0  # whatever it was: commands without a lab say so, and fail
    return used.ru_utime + used.ru_stime
