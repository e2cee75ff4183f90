"""What each client program finds in its profile, read back in the program's own format."""

from __future__ import annotations

import json
import sqlite3
import stat
from base64 import b64decode
from configparser import RawConfigParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cluster.lab.programs import known, named
from cluster.lab.programs.base.ini import qt_text
from cluster.lab.programs.base.program import ClientLogin, Start
from cluster.xmpp.jid import Jid

ROMEO = Jid.parse("romeo@montague.lit/pda")
LOGIN = ClientLogin(ROMEO, 'A rose; by "any" other\\name', "127.1.2.3", 5222, has_tls=True)


def prepared(client: str, profile: Path, login: ClientLogin = LOGIN) -> Start:
    return named(client).prepare(profile, login)


def ini(path: Path, section: str) -> dict[str, str]:
    file = RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    file.optionxform = str
    file.read_string(path.read_text())
    return dict(file[section])


def options(element: ElementTree.Element) -> dict[str, str]:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}


def purple(profile: Path) -> tuple[ElementTree.Element, dict[str, str], dict[str, str]]:
    """The account, its settings, and those of the user interface."""
    account = ElementTree.parse(profile / "accounts.xml").getroot().find("account")
    assert account is not None
    general, interface = (
        {each.get("name", ""): each.text or "" for each in settings} for settings in account.findall("settings")
    )
    return account, general, interface


@pytest.mark.parametrize("client", known())
class TestEveryProgram:
    def test_only_the_user_reads_the_password(self, client: str, tmp_path: Path) -> None:
        prepared(client, tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        for path in files:
            closed = [path, *path.parents][: len(path.relative_to(tmp_path).parts)]
            assert any(not stat.S_IMODE(each.stat().st_mode) & 0o077 for each in closed), path

    def test_all_of_it_is_in_the_profile(self, client: str, tmp_path: Path) -> None:
        start = prepared(client, tmp_path)
        told = [*start.arguments, *start.environment.values()]
        assert any(str(tmp_path) in text for text in told)

    def test_a_second_start_has_the_new_password(self, client: str, tmp_path: Path) -> None:
        first = prepared(client, tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert prepared(client, tmp_path) == first
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}.keys() == before.keys()
        prepared(client, tmp_path, LOGIN._replace(password="banished"))
        assert any(path.read_bytes() != content for path, content in before.items())


def test_profanity(tmp_path: Path) -> None:
    start = prepared("profanity", tmp_path)
    accounts = Path(start.environment["XDG_DATA_HOME"]) / "profanity" / "accounts"
    found = ini(accounts, start.arguments[1])
    assert start.arguments[0] == "--account"
    assert (found["jid"], found["resource"], found["muc.nick"]) == ("romeo@montague.lit", "pda", "romeo")
    assert found["password"] == 'A rose; by "any" other\\\\name'
    assert (found["server"], found["port"], found["tls.policy"]) == ("127.1.2.3", "5222", "force")


def test_profanity_keeps_what_the_user_has_set(tmp_path: Path) -> None:
    start = prepared("profanity", tmp_path)
    accounts = Path(start.environment["XDG_DATA_HOME"]) / "profanity" / "accounts"
    accounts.write_text(accounts.read_text() + "omemo.enabled=juliet@capulet.lit;\n\n[other]\njid=a@b.lit\n")
    prepared("profanity", tmp_path, LOGIN._replace(has_tls=False))
    found = ini(accounts, start.arguments[1])
    assert (found["omemo.enabled"], found["tls.policy"]) == ("juliet@capulet.lit;", "disable")
    assert ini(accounts, "other") == {"jid": "a@b.lit"}


def test_mcabber(tmp_path: Path) -> None:
    start = prepared("mcabber", tmp_path)
    lines = Path(start.arguments[1]).read_text().splitlines()
    found = dict(line.removeprefix("set ").split(" = ", 1) for line in lines)
    assert (found["jid"], found["server"], found["port"]) == ("romeo@montague.lit/pda", "127.1.2.3", "5222")
    assert (found["tls"], found["ssl_ignore_checks"], found["password"]) == ("1", "0", LOGIN.password)


@pytest.mark.parametrize(("client", "interface"), [("pidgin", "gtk-gaim"), ("finch", "gnt-purple")])
def test_pidgin_and_finch(tmp_path: Path, client: str, interface: str) -> None:
    assert prepared(client, tmp_path).arguments == ["--config", str(tmp_path)]
    account, general, own = purple(tmp_path)
    assert account.findtext("name") == "romeo@montague.lit/pda"
    assert account.findtext("password") == LOGIN.password
    assert account.findtext("protocol") == "prpl-jabber"
    assert general == {"connect_server": "127.1.2.3", "port": "5222", "connection_security": "require_tls"}
    assert own == {"auto-login": "1"}
    assert [each.get("ui") for each in account.findall("settings")] == [None, interface]


def test_psi_plus(tmp_path: Path) -> None:
    start = prepared("psi-plus", tmp_path)
    profile = Path(start.environment["PSIDATADIR"]) / "profiles" / start.arguments[0].removeprefix("--profile=")
    [account] = ElementTree.parse(profile / "accounts.xml").getroot().findall(".//{*}a0")
    found = options(account)
    assert (found["jid"], found["resource"], found["automatic-resource"]) == ("romeo@montague.lit", "pda", "false")
    assert (found["host"], found["port"], found["use-host"], found["ssl"]) == ("127.1.2.3", "5222", "true", "yes")
    codes = [int(found["password"][at : at + 4], 16) for at in range(0, len(found["password"]), 4)]
    key = "romeo@montague.lit"
    assert "".join(chr(code ^ ord(key[at % len(key)])) for at, code in enumerate(codes)) == LOGIN.password


def test_kaidan(tmp_path: Path) -> None:
    start = prepared("kaidan", tmp_path)
    found = ini(Path(start.environment["XDG_CONFIG_HOME"]) / "kaidan" / "kaidan.conf", "auth")
    assert (found["jid"], found["jidResourcePrefix"]) == ('"romeo@montague.lit"', '"pda"')
    assert b64decode(found["password"].strip('"')).decode() == LOGIN.password
    assert (found["host"], found["port"]) == ("127.1.2.3", "5222")


def test_texts_as_qt_writes_them() -> None:
    assert qt_text('"a\\b" ♥😀') == r'"\"a\\b\" \x2665\xd83d\xde00"'


def test_dino(tmp_path: Path) -> None:
    start = prepared("dino", tmp_path)
    with sqlite3.connect(Path(start.environment["XDG_DATA_HOME"]) / "dino" / "dino.db") as database:
        rows = database.execute("SELECT bare_jid, resourcepart, password, enabled FROM account").fetchall()
    database.close()
    assert rows == [("romeo@montague.lit", "pda", LOGIN.password, 1)]


def test_gajim(tmp_path: Path) -> None:
    prepared("gajim", tmp_path)
    with sqlite3.connect(tmp_path / "settings.sqlite") as database:
        [(name, text)] = database.execute("SELECT account, settings FROM account_settings").fetchall()
        kept = json.loads(text)
        kept["account"] |= {"priority": 7}
        kept["contact"] = {"juliet@capulet.lit": {"send_chatstate": "disabled"}}
        database.execute("UPDATE account_settings SET settings = ?", (json.dumps(kept),))
        database.commit()
        assert prepared("gajim", tmp_path, LOGIN._replace(has_tls=False)).arguments == ["--config-path", str(tmp_path)]
        [(again,)] = database.execute("SELECT settings FROM account_settings").fetchall()
        [(app,)] = database.execute("SELECT settings FROM settings WHERE name = 'app'").fetchall()
    database.close()
    account, found = kept["account"], json.loads(again)
    assert name == "romeo@montague.lit"
    assert (account["name"], account["hostname"], account["resource"]) == ("romeo", "montague.lit", "pda")
    assert (account["password"], account["custom_host"], account["custom_port"]) == (LOGIN.password, "127.1.2.3", 5222)
    assert (account["custom_type"], found["account"]["custom_type"]) == ("START TLS", "PLAIN")
    assert found["account"]["priority"] == 7  # what the user has set stays
    assert found["contact"] == kept["contact"]
    assert json.loads(app)["use_keyring"] is False
