"""How servers that are not ours are told what the topology says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster.kinds.base.foreign import ForeignServerNode, Settings
from cluster.kinds.ejabberd import Ejabberd
from cluster.kinds.prosody import Prosody
from cluster.topology.plan import AccountSeed, ComponentSeed, ContactSeed

TRICKY = 'é"\\\n$(x)]]'
ACCOUNT = AccountSeed(
    "friar.o'x", TRICKY, (ContactSeed("romeo@montague.lit", TRICKY, (TRICKY, "b")), ContactSeed("nurse@capulet.lit"))
)


def settings(tmp_path: Path, kind: type[ForeignServerNode], **fields: Any) -> Settings:
    node = kind("s2", "capulet.lit", "127.16.0.2", 5222, "required", accounts=(ACCOUNT,), **fields)
    return node.run_in(tmp_path, tmp_path / "ca.pem", ("127.16.0.255", 5353), tmp_path / "hosts")


def lua(code: str) -> str:
    done = subprocess.run(["lua5.4", "-e", code], capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


def test_prosody_reads_the_account_as_it_was_written(tmp_path: Path) -> None:
    if Prosody.server_program.missing:
        pytest.skip(Prosody.server_program.missing)
    Prosody.server_program.prepared(settings(tmp_path, Prosody))
    host = tmp_path / "data" / "capulet%2elit"
    assert lua(f"io.write(dofile('{host}/accounts/friar%2eo%27x.dat').password)") == TRICKY
    roster = f"r = dofile('{host}/roster/friar%2eo%27x.dat'); i = r['romeo@montague.lit']; "
    assert lua(f"{roster} io.write(i.name, '|', i.subscription, '|', r[false].version)") == f"{TRICKY}|both|1"
    assert lua(f"{roster} for g in pairs(i.groups) do if g ~= 'b' then io.write(g) end end") == TRICKY


def test_an_account_that_is_there_stays(tmp_path: Path) -> None:
    """Prosody keeps its SCRAM keys, and what its users changed, in the same files."""
    Prosody.server_program.prepared(settings(tmp_path, Prosody))
    [file] = (tmp_path / "data").glob("*/accounts/*")
    file.write_text("changed")
    Prosody.server_program.prepared(settings(tmp_path, Prosody))
    assert file.read_text() == "changed"


def test_ejabberd_takes_its_configuration_for_yaml(tmp_path: Path) -> None:
    if Ejabberd.server_program.missing:
        pytest.skip(Ejabberd.server_program.missing)
    secret = ComponentSeed("sms.capulet.lit", TRICKY)
    Ejabberd.server_program.prepared(settings(tmp_path, Ejabberd, components=(secret,)))
    told = json.loads((tmp_path / "ejabberd.yml").read_text())
    assert {(each["ip"], each["port"]) for each in told["listen"]} == {
        ("127.16.0.2", port) for port in (5222, 5223, 5269, 5347)
    }
    assert told["s2s_use_starttls"] == "required"


def test_the_erlang_of_the_accounts_is_erlang(tmp_path: Path) -> None:
    if Ejabberd.server_program.missing:
        pytest.skip(Ejabberd.server_program.missing)
    command, environment = Ejabberd.server_program.prepared(settings(tmp_path, Ejabberd))
    code = (
        f'{{ok, B}} = file:read_file("{tmp_path}/accounts.erl"), {{ok, T, _}} = erl_scan:string(binary_to_list(B)), '
        '{ok, _} = erl_parse:parse_exprs(T), io:put_chars("fine"), halt().'
    )
    done = subprocess.run(
        [command[0], "-noinput", "-eval", code], env=environment, capture_output=True, check=False, timeout=60
    )
    assert b"fine" in done.stdout, done.stdout + done.stderr


def test_what_is_missing_is_told_with_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.kinds.base.foreign.PATH", "/nowhere")
    assert Prosody.server_program.missing.startswith("prosody not found: apt-get install prosody")
