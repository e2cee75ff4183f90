"""Mails that are not taken at once: tried again and, when they are too old, given up."""

from __future__ import annotations

import pytest

from tests.client import Client
from tests.network import at_once
from tests.unit.gateways.mail.scripted_host import ScriptedHost, errors, ids_of, write
from tests.unit.gateways.mail.world import MailNetwork


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("RCPT", "451 4.7.1 greylisted"), ("MAIL", "452 4.3.1 full"), ("DATA", "451 later"), (".", "450 4.2.1 later"),
        ("RCPT", "421 4.3.2 going down"), (".", "hang up"), ("RCPT", "hang up"), ("EHLO", "421 busy"), ("", "554 no"),
        ("", "hang up"), (".", "199 what"), ("RSET", "550 no"),
    ],
)  # fmt: skip
def test_not_now(network: MailNetwork, host: ScriptedHost, romeo: Client, verb: str, reply: str) -> None:
    host.replies[verb] = [reply]
    write(network, romeo)
    taken = 1 if verb == "RSET" else 0
    assert network.service.queue.waiting == 1 - taken
    network.advance(4.9)
    assert not errors(romeo)
    network.advance(0.2)
    assert network.service.queue.waiting == 0
    assert host.texts[-1] == "Help me."
    assert len(ids_of(host)) == 1  # whoever got it twice can tell
    assert not errors(romeo)


def test_a_host_that_is_silent(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["silence"]
    write(network, romeo)
    network.advance(299)
    assert len(host.commands) == 3
    network.advance(2)
    network.advance(5)
    assert host.texts == ["Help me."]


def test_a_goodbye_that_is_not_answered(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["QUIT"] = ["silence"]
    write(network, romeo, "1")
    write(network, romeo, "2")
    network.advance(5)
    assert sorted(host.texts) == ["1", "2"]


def test_the_pauses_grow(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["451 4.7.1 greylisted"] * 5
    write(network, romeo)
    for attempts, pause_s in enumerate((5, 10, 20, 40, 80), 1):
        assert sum(command.startswith("RCPT") for command in host.commands) == attempts
        network.advance(pause_s - 0.1)
        assert sum(command.startswith("RCPT") for command in host.commands) == attempts
        network.advance(0.1 + 1e-6)
    assert host.texts == ["Help me."]


def test_a_host_that_is_down_gets_all_when_it_is_back(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    for n in range(20):
        write(network, romeo, str(n))
    attempts = network.to_host.attempts
    assert attempts == 1
    network.advance(100)
    assert network.to_host.attempts <= attempts + 5
    network.to_host.factory = host
    network.advance(100)
    assert sorted(host.texts, key=int) == [str(n) for n in range(20)]
    assert not errors(romeo)


def test_what_is_too_old_comes_back(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    write(network, romeo, "1")
    network.advance(3 * 3_600)
    write(network, romeo, "2")
    for _ in range(8):
        network.advance(450)
    [(id, condition, text)] = errors(romeo)
    assert (id, condition) == ("1", "remote-server-timeout")
    assert "mx.abbey.example: cannot connect" in text
    network.to_host.factory = host
    network.advance(900)
    assert host.texts == ["2"]
    assert at_once(network.spool.load()) == []


def test_greylisting_that_never_ends(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["451 4.7.1 greylisted"] * 100
    write(network, romeo)
    for _ in range(20):
        network.advance(900)
    assert errors(romeo) == [
        ("Help me.", "remote-server-timeout", "the mail was not taken in time: 451 4.7.1 greylisted")
    ]  # fmt: skip


def test_a_wall_clock_that_is_set_back_delays_no_mail(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["451 4.7.1 greylisted"]
    write(network, romeo)
    network.wall_clock_set_by_s = -600.0
    network.advance(5.1)
    assert host.texts == ["Help me."]


def test_nor_a_connection(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    write(network, romeo)
    network.to_host.factory = host
    network.wall_clock_set_by_s = -600.0
    network.advance(5.1)
    assert host.texts == ["Help me."]
