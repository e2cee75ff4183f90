"""What the command says and how it exits, without a lab running."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cluster.cli.app import app
from cluster.cli.load import run_time
from cluster.lab.api import BadInput, log_begin
from cluster.lab.folder import LABS, LabFolder
from cluster.lab.logs import LogLine, encode
from cluster.lab.state import LabState, NodeState
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.lab.plan import make_plan

__all__ = ["shell"]

ROOT = Path(__file__).parents[3]


def stopped_lab(root: Path, name: str = "verona") -> LabFolder:
    """A lab that was brought down with --keep."""
    folder = LabFolder(root / LABS / name)
    folder.create()
    folder.save_plan(make_plan(folder.path, name=name))
    return folder


def test_graph(shell: Shell) -> None:
    assert "capulet.lit" in shell.run("graph", VERONA)[1]
    assert shell.run("graph", VERONA, "--format", "mermaid")[1].startswith("flowchart LR\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["ps"],
        ["logs"],
        ["watch"],
        ["user", "ls"],
        ["load"],
        ["trace", "romeo@montague.lit", "juliet@capulet.lit"],
    ],
)
def test_commands_say_that_there_is_no_lab(shell: Shell, tmp_path: Path, arguments: list[str]) -> None:
    code, out, err = shell.run(*arguments)
    assert (code, out) == (2, "")
    assert "bring one up with `xmpplab up FILE -d`" in err
    assert list(tmp_path.iterdir()) == []


def test_the_lab_is_named_by_option_or_environment(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_lab(tmp_path, "verona")
    stopped_lab(tmp_path, "elsinore")
    assert "several labs here (elsinore, verona)" in shell.run("ps")[2]
    assert shell.run("ps", "--lab", "verona")[0] == 0
    monkeypatch.setenv("XMPPLAB_LAB", "elsinore")
    assert '"lab": "elsinore"' in shell.run("ps", "--format", "json")[1]


def test_a_stopped_lab_names_the_remedy(shell: Shell, tmp_path: Path) -> None:
    stopped_lab(tmp_path)
    assert "xmpplab up verona.yaml -d" in shell.run("ps")[1]
    for arguments in (["user", "ls"], ["trace", "romeo@montague.lit", "juliet@capulet.lit"], ["watch"]):
        code, _, err = shell.run(*arguments)
        assert code == 1
        assert "xmpplab up" in err


def test_down_removes_a_stopped_lab(shell: Shell, tmp_path: Path) -> None:
    stopped_lab(tmp_path)
    assert shell.run("down") == (0, "lab verona was already down, its state is removed\n", "")
    assert list(tmp_path.iterdir()) == []


def test_down_where_nothing_is_left_to_take_down(shell: Shell, tmp_path: Path) -> None:
    """It is as it was asked to be: scripts that clean up go on."""
    code, out, err = shell.run("down")
    assert (code, err) == (0, "")
    assert out.startswith(f"no lab in {tmp_path / LABS}")
    stopped_lab(tmp_path, "elsinore")
    assert shell.run("down", "--lab", "verona")[0] == 0
    assert (tmp_path / LABS / "elsinore").exists()
    assert shell.run("down", "--all", "--lab", "verona")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("timeline", "lab.txt"),
        ("verify", "kill-s2", "--html", "rows.csv"),
        ("verify", "kill-s2", "--seconds", "page.html"),
        ("load", "chat", "--html", "rows.csv"),
    ],
)
def test_a_file_has_the_ending_of_what_is_written(shell: Shell, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = shell.run(*arguments)
    assert (code, out) == (2, "")
    assert f"{arguments[-1]} has another ending than ." in err
    assert list(tmp_path.iterdir()) == []


def test_logs_for_people(shell: Shell, tmp_path: Path) -> None:
    folder = stopped_lab(tmp_path)
    for node, moment, level, text in (
        ("s1", "2026-11-20T12:00:00.000000+00:00", "info", "one"),
        ("redis", "2026-11-20T12:00:00.500000+00:00", "error", "two"),
    ):
        folder.log(node).write_bytes(encode(LogLine(moment, level, text)))
    assert shell.run("logs")[1] == "12:00:00.000 s1     one\n12:00:00.500 redis  ERROR two\n"
    assert shell.run("logs", "redis")[1] == "12:00:00.500 redis  ERROR two\n"
    code, _, err = shell.run("logs", "s7")
    assert (code, err) == (2, "xmpplab: no log of 's7' (nodes: redis, s1)\n")


def test_which_lines_of_the_log(shell: Shell, tmp_path: Path) -> None:
    folder = stopped_lab(tmp_path)
    lines = [LogLine(f"2026-11-20T12:00:0{second}.000000+00:00", "info", f"at {second}\x9b") for second in range(5)]
    folder.log("s1").write_bytes(b"".join(map(encode, lines)))
    assert shell.run("logs", "--tail", "1")[1] == "12:00:04.000 s1     at 4\\x9b\n"
    assert shell.run("logs", "--tail", "0")[1] == ""
    for since in ("2026-11-20T12:00:03Z", "2026-11-20T13:00:03+01:00", "2026-11-20T12:00:03"):
        assert shell.run("logs", "--since", since)[1].count("\n") == 2
    assert shell.run("logs", "--since", "1s")[1] == ""
    documents = [json.loads(line) for line in shell.run("logs", "--format", "json", "--tail", "2")[1].splitlines()]
    assert documents[1] == {"at_utc": lines[4].at_utc, "node": "s1", "level": "info", "text": "at 4\x9b"}
    for wrong in ("soon", "2026-13-01", "5", "-5s", "T"):
        code, _, err = shell.run("logs", "--since", wrong)
        assert code == 2
        assert "write how long ago (90s, 10m)" in err


def test_since_is_counted_from_now() -> None:
    now_utc = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert log_begin("90s", now_utc) == "2026-11-20T11:58:30.000000+00:00"
    assert log_begin("", now_utc) == ""


def test_version_and_help(shell: Shell) -> None:
    assert shell.run("--version")[:2] == (0, f"xmpplab {version('xmpplab')}\n")
    for command in ([], ["ps"], ["user", "ls"]):
        assert shell.run(*command, "-h") == shell.run(*command, "--help")


def options() -> Iterator[tuple[str, Any]]:
    """Each option of each sub-command, with the command's name."""
    for command, group in commands(typer.main.get_command(app)):
        for option in group.params:
            if option.param_type_name == "option" and option.name not in ("help", "lab"):
                yield command, option


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_environment_variables_are_named_as_the_options() -> None:
    for command, option in options():
        long = next(name for name in option.opts if name.startswith("--"))
        wanted = f"XMPPLAB {command} {long[2:]}".upper().replace("-", "_").replace(" ", "_")
        given = option.envvar or f"XMPPLAB_{command}_{option.name}".upper().replace(" ", "_").replace("-", "_")
        assert given == wanted, (command, option.opts)


def test_environment_variables_are_read(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_lab(tmp_path)
    monkeypatch.setenv("XMPPLAB_PS_FORMAT", "json")
    monkeypatch.setenv("XMPPLAB_VERSION", "1")  # of somebody's own
    assert json.loads(shell.run("ps")[1])["lab"] == "verona"
    assert shell.run("ps", "--format", "text")[1].startswith("NAME")
    monkeypatch.setenv("XMPPLAB_PS_FORMAT", "xml")
    assert shell.run("ps")[0] == 2


def test_config_is_the_whole_plan(shell: Shell) -> None:
    plan = json.loads(shell.run("config", VERONA, "--format", "json")[1])
    assert yaml.safe_load(shell.run("config", VERONA)[1]) == plan
    assert [server["c2s_port"] for server in plan["servers"]] == [5222] * 3
    assert shell.run("config", "nowhere.yaml")[0] == 2


def test_a_dry_run_starts_and_writes_nothing(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell.run("up", VERONA, "--dry-run")
    assert code == 0
    assert out.startswith(
        "lab verona would be brought up as processes of this machine:\nNAME   LISTENS AT\nredis  -\ns1 "
    )
    assert list(tmp_path.iterdir()) == []
    found = json.loads(shell.run("up", VERONA, "--dry-run", "--format", "json")[1])
    assert (found["does"], [part["name"] for part in found["parts"]]) == ("start", ["redis", "s1", "s2", "s3"])


def test_a_dry_run_tells_of_kept_data(shell: Shell, tmp_path: Path) -> None:
    stopped_lab(tmp_path)
    assert "; accounts and messages kept in" in shell.run("up", VERONA, "--dry-run")[1]


def test_ps_fits(shell: Shell, tmp_path: Path) -> None:
    folder = stopped_lab(tmp_path)
    nodes = [
        NodeState("redis", "redis"),
        NodeState("s1", "server"),
        NodeState("s2", "server", last_exit="signal SIGKILL"),
    ]
    LabState(nodes).save(folder.state_file)
    narrow, wide = shell.run("ps")[1].splitlines(), shell.run("ps", "--wide")[1].splitlines()
    assert max(map(len, narrow)) <= 60
    assert narrow[0].split() == ["NAME", "STATE", "DOMAIN", "HOST", "SESSIONS"]
    assert {"CPU", "MEMORY", "COMPONENTS", "PID"} <= set(wide[0].split())


@pytest.mark.parametrize("text", ["", "a\x00b", "\ud800"])
def test_what_cannot_be_sent(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    stopped_lab(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert shell.run("send", "romeo", "juliet", "-")[0] == 2


@pytest.mark.parametrize(
    ("from_", "to", "error"),
    [
        ("romeo@padua.lit", "juliet@capulet.lit", "no server of this lab serves 'padua.lit' (domains: montague.lit, "),
        ("montague.lit", "juliet@capulet.lit", "write an address such as romeo@montague.lit"),
        ("romeo@montague.lit", "juliet@", "write an address such as"),
    ],
)
def test_bad_addresses(shell: Shell, tmp_path: Path, from_: str, to: str, error: str) -> None:
    stopped_lab(tmp_path)
    code, _, err = shell.run("trace", from_, to)
    assert code == 2
    assert error in err


def test_an_account_without_a_password_is_looked_for_in_the_lab(shell: Shell, tmp_path: Path) -> None:
    stopped_lab(tmp_path)
    code, _, err = shell.run("trace", "mercutio@montague.lit", "juliet@capulet.lit")
    assert code == 1
    assert "lab verona is down; bring it up with `xmpplab up verona.yaml -d`" in err


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    stopped_lab(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["dance", "pace", ""])
def test_what_is_no_load_scenario(shell: Shell, scenarios: Path, name: str) -> None:
    code, _, err = shell.run("load", name)
    allowed = "archive, chat, gateway, login, mixed, pep, presence, rooms, roster"
    assert (code, err) == (2, f"xmpplab: no file and no load scenario {name!r}; allowed: {allowed}\n")


def test_no_file_of_a_load_scenario(shell: Shell, scenarios: Path) -> None:
    code, _, err = shell.run("load", "mine.py")
    assert (code, err) == (2, "xmpplab: no file mine.py; name a locust file, or a load scenario such as chat\n")


def test_a_load_that_would_never_end(shell: Shell, scenarios: Path) -> None:
    code, _, err = shell.run("load", "chat", "--time", "0s")
    assert code == 2
    assert err.endswith("'0s' is not a time to run for; write 30s, 5m or 1h30m\n")


@pytest.mark.parametrize("time", ["0", "", "soon", "-5s", "1.5h"])
def test_what_is_no_time_of_a_load(time: str) -> None:
    with pytest.raises(BadInput, match="is not a time to run for"):
        run_time(time, is_open=False)


@pytest.mark.parametrize("report", [".", "nowhere/report.html", "/proc/report.html"])
def test_a_report_that_cannot_be_written_is_found_before_the_run(shell: Shell, scenarios: Path, report: str) -> None:
    code, _, err = shell.run("load", "chat", "--html", report)
    assert code == 2
    assert err.startswith(f"xmpplab: cannot write {report}: ")


def test_a_page_that_replays_names_its_lab_once(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell.run("web", "--replay", str(tmp_path), "--lab", "verona")
    assert (code, "--replay names the folder of a lab itself; leave out --lab" in err) == (2, True)


HEAVY = [
    "twisted", "redis", "docker", "cryptography", "lxml", "locust", "gevent", "psutil", "prompt_toolkit", "rich", "ssl",
]  # fmt: skip
"""What takes a command longer to import than it then works. (typer itself reads arguments with pydantic.)"""

FOR_A_LAB = [name for name in HEAVY if name != "psutil"]


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], [*HEAVY, "pydantic"]),
        (["--version"], [*HEAVY, "pydantic"]),
        (["ps", "--help"], [*HEAVY, "cluster.kinds.smsc", "cluster.cli.up"]),
        (["ps"], HEAVY),
        (["user", "ls"], HEAVY),
        (["validate", "rfc3920"], [name for name in HEAVY if name != "ssl"]),
        (["ps", "--lab", "verona"], FOR_A_LAB),
        (["logs", "--lab", "verona"], FOR_A_LAB),
    ],
    ids=" ".join,
)
def test_a_command_imports_only_what_it_uses(tmp_path: Path, arguments: list[str], heavy: list[str]) -> None:
    """So that an answer that needs no work comes at once. No lab runs; one is stopped."""
    if "--lab" in arguments:
        stopped_lab(tmp_path)
    code = f"""
import sys
from cluster.cli.app import run
sys.argv = ["xmpplab", *{arguments}]
run()
print(*sorted(set({heavy}) & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == ""


def test_summaries_fit_an_ordinary_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    help = [sys.executable, "-c", "from cluster.cli.app import run; run()", "--help"]
    shown = subprocess.run(help, capture_output=True, text=True, check=True).stdout
    assert "..." not in shown.partition("\nThe lab:\n")[2]


@pytest.mark.parametrize("option", ["--html", "--junit"])
def test_a_grid_that_cannot_be_written_is_refused_before_the_run(shell: Shell, tmp_path: Path, option: str) -> None:
    report = tmp_path / "nowhere" / "grid"
    code, out, err = shell.run("interop", "--kinds", "xmpplab", "--ways", "external", option, str(report))
    assert (code, out) == (2, "")
    assert err.startswith(f"xmpplab: cannot write {report}: ")
