"""Whose accounts load users have."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.accounts import Account, Listed, NoAccount, read
from loadtests.lab import LabUnusable, Server

S1, S2 = (Server(name, f"{name}.lit", "127.0.0.1", 5222, "off", False) for name in ("s1", "s2"))


def listed(*jids: str) -> Listed:
    return Listed([Account(Jid.parse(jid), "secret") for jid in jids], "a1b2", "pw")


def test_a_listed_account_has_one_user_at_a_time() -> None:
    accounts = listed("romeo@s1.lit", "juliet@s2.lit")
    romeo = accounts.take(S1)
    assert romeo == Account(Jid.parse("romeo@s1.lit"), "secret")
    assert accounts.take(S1).jid == Jid.parse("juliet@s2.lit")  # the own domain has none left
    with pytest.raises(NoAccount, match="all accounts are in use"):
        accounts.take(S2)
    accounts.give_back(Login(romeo.jid.with_resource("locust"), romeo.password))
    assert accounts.take(S2) == romeo


def test_where_none_is_listed_users_register_and_never_twice() -> None:
    accounts = listed("romeo@s1.lit")
    new = [accounts.take(S2) for _ in range(3)]
    assert [str(each.jid) for each in new] == [f"load-{n}-a1b2@s2.lit" for n in range(3)]
    assert all(each.is_new and each.password == "pw" for each in new)
    accounts.give_back(Login(new[0].jid.with_resource("locust"), "pw", register=True))
    assert accounts.take(S2).jid not in [each.jid for each in new]


def test_a_file_of_accounts(tmp_path: Path) -> None:
    file = tmp_path / "accounts"
    file.write_text("# of the test server\nromeo@s1.lit  wherefore art thou\n\njuliet@s2.lit secret\n")
    assert [(str(each.jid), each.password) for each in read(file)] == [
        ("romeo@s1.lit", "wherefore art thou"),
        ("juliet@s2.lit", "secret"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("romeo@s1.lit\n", "line 1: write an address and a password: `romeo@a.example secret`"),
        ("\ns1.lit secret\n", "line 2: write an address and a password"),
        ("@ secret\n", "line 1: "),
        (None, "cannot be read: No such file or directory; name a file with a line JID PASSWORD each"),
    ],
)
def test_what_is_no_file_of_accounts_names_its_line(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "accounts"
    if text is not None:
        file.write_text(text)
    with pytest.raises(LabUnusable, match=why):
        read(file)
