"""Accounts of servers of other kinds, as the lab changes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kinds.prosody import ProsodyAccounts
from cluster.lab.clients.users import _store
from cluster.lab.errors import LabError
from cluster.xmpp.jid import Jid


@pytest.mark.parametrize("localpart", ["romeo", "a.b", "..", "a*", "[ab]", "o'x", "x%2fy", "日本"])
def test_an_account_of_prosody_may_have_each_name(tmp_path: Path, localpart: str) -> None:
    accounts = ProsodyAccounts(tmp_path, "capulet.lit")
    for name in (localpart, "ab"):
        accounts.store(name, "secret")
    assert sorted(accounts.names()) == sorted([localpart, "ab"])
    accounts.delete(localpart)
    assert accounts.names() == ["ab"]


@pytest.mark.parametrize("localpart", ["a" * 1_023, "é" * 80])
def test_a_name_that_is_too_long_for_a_file_is_refused(tmp_path: Path, localpart: str) -> None:
    """RFC 7622 allows 1,023 bytes, Prosody what fits into the name of a file."""
    with pytest.raises(LabError, match="File name too long"):
        _store(ProsodyAccounts(tmp_path, "capulet.lit"), Jid(localpart, "capulet.lit"), "secret")
