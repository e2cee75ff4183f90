"""What the load is put on."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from loadtests.lab import LabUnusable
from loadtests.targets import check_ca, chosen, target
from tests.unit.loadtests.test_lab import bring_up


def test_other_servers_need_no_lab(tmp_path: Path) -> None:
    found = chosen(
        ["prosody.example=127.0.0.1:5223", "a.example=[::1]", "b.example=xmpp.example"], "ca.pem", {}, tmp_path
    )
    assert [(each.domain, each.host, each.c2s_port, each.ca_file, each.is_outside) for each in found.servers] == [
        ("prosody.example", "127.0.0.1", 5223, "ca.pem", True),
        ("a.example", "::1", 5222, "ca.pem", True),
        ("b.example", "xmpp.example", 5222, "ca.pem", True),
    ]


def test_a_domain_of_the_lab_stands_beside_another_server(tmp_path: Path) -> None:
    bring_up(tmp_path, "verona")
    found = chosen(["montague.lit", "a.example=192.0.2.1"], None, {}, tmp_path)
    assert [(each.domain, each.is_outside) for each in found.servers] == [("montague.lit", False), ("a.example", True)]
    assert [each.domain for each in chosen([], None, {}, tmp_path).servers] == ["montague.lit"]


def test_a_domain_that_the_lab_does_not_serve(tmp_path: Path) -> None:
    bring_up(tmp_path, "verona")
    with pytest.raises(LabUnusable, match=r"serves capulet.lit \(domains: montague.lit\); give the address"):
        chosen(["capulet.lit"], None, {}, tmp_path)


@pytest.mark.parametrize(
    "text", ["", "romeo@a.example", "a.example=", "a.example=host:x", "a.example=host:70000", "=h"]
)
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"write a domain of the lab, or a\.example=192\.0\.2\.1:5222"):
        target(text)


@pytest.mark.parametrize(
    ("name", "why"),
    [("missing.pem", "No such file or directory"), (".", "Is a directory"), ("text", "no certificates in it")],
)
def test_a_ca_that_is_none_is_told_before_anybody_connects(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "text").write_text("not a certificate")
    with pytest.raises(LabUnusable, match=rf"^--ca .* cannot be used: {why}; name the file with"):
        check_ca(str(tmp_path / name))
