"""What users do with the pytest plugin: test_pytest_plugin.py runs this file as the tests of another project."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.lab.api import BadInput, Lab
from cluster.testing.account import Account
from cluster.testing.faults import Faults
from cluster.testing.trace import Trace
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from cluster.xmpp.streams.login import Login

Accounts = Callable[..., Account]
CLIENT = "{jabber:client}"


@contextmanager
def client(account: Account, *, is_available: bool = True) -> Iterator[BlockingClient]:
    login = Login(Jid.parse(f"{account.jid}/pda"), account.password)
    with BlockingClient((account.host, account.port), login, str(account.ca_file)) as client:
        if is_available:
            client.send(make("presence").raw)
        yield client


def say(client: BlockingClient, to: object, body: str) -> None:
    text = Element(f"{CLIENT}body")
    text.text = body
    client.send(make("message", to=Jid.parse(str(to)), id=body, type="chat", payload=[text]).raw)


def test_messages_are_delivered_in_time(xmpp_account: Accounts, xmpp_trace: Trace) -> None:
    romeo, juliet = xmpp_account("montague.lit"), xmpp_account("capulet.lit")
    assert romeo != xmpp_account()
    assert romeo.jid.endswith("@montague.lit")
    with client(juliet), client(romeo) as sender:
        say(sender, juliet, "1")
        say(sender, juliet, "2")
        xmpp_trace.assert_delivered(romeo, juliet, within="5s", count=2)
    assert [each.outcome for each in xmpp_trace.stanzas(romeo, juliet, "message")] == ["delivered"] * 2
    with pytest.raises(AssertionError, match=r" of 3 stanzas \(message\) from user"):
        xmpp_trace.assert_delivered(romeo, juliet, within="10ms", count=3)
    with pytest.raises(AssertionError, match="no such stanza was sent"):
        xmpp_trace.assert_delivered(juliet, romeo, within="10ms")


def test_one_that_comes_late_is_told(xmpp_account: Accounts, xmpp_fault: Faults, xmpp_trace: Trace) -> None:
    romeo, juliet = xmpp_account("montague.lit"), xmpp_account("capulet.lit")
    xmpp_fault("montague.lit", "capulet.lit", delay="200ms")
    with client(juliet), client(romeo) as sender:
        say(sender, juliet, "1")
        with pytest.raises(AssertionError, match=r"0 of 1 stanzas .* within 100ms\nmessage from .*\nit was delivered"):
            xmpp_trace.assert_delivered(romeo, juliet, within="100ms")


def test_what_comes_back_says_why(xmpp_account: Accounts, xmpp_trace: Trace) -> None:
    romeo = xmpp_account("montague.lit", "mercutio")
    assert str(romeo) == "mercutio@montague.lit"
    with client(romeo) as sender:
        say(sender, "nobody@capulet.lit", "1")
        xmpp_trace.assert_outcome("bounced", romeo, "nobody@capulet.lit", reason="no-account")
        with pytest.raises(AssertionError, match=r"has the outcome stored \(offline\)\nmessage from mercutio"):
            xmpp_trace.assert_outcome("stored", romeo, reason="offline", to="", timeout="10ms")


def test_a_paused_server_holds_up(xmpp_fault: Faults, xmpp_account: Accounts, xmpp_trace: Trace) -> None:
    romeo, juliet = xmpp_account("montague.lit"), xmpp_account("capulet.lit")
    xmpp_fault.pause("s2")
    with client(romeo) as sender:
        say(sender, juliet, "1")
        xmpp_trace.assert_outcome("waits", romeo, juliet, reason="node-paused")
    xmpp_fault.clear()
    xmpp_trace.assert_outcome("stored", romeo, juliet)


def test_an_account_of_no_domain(xmpp_account: Accounts) -> None:
    with pytest.raises(
        BadInput, match=r"no server of this lab serves 'verona.lit' \(domains: montague.lit, capulet.lit"
    ):
        xmpp_account("verona.lit")


def test_an_account_may_be_gone(xmpp_account: Accounts, xmpp_lab: Lab) -> None:
    xmpp_lab.users.delete(xmpp_account("capulet.lit").jid)


def test_programs_trust_the_lab(xmpp_account: Accounts, xmpp_lab: Lab) -> None:
    account = xmpp_account("montague.lit")
    server = xmpp_lab.plan.server("montague.lit")
    assert server is not None
    assert os.environ["SSL_CERT_FILE"] != str(account.ca_file)
    context = ssl.create_default_context()
    with socket.create_connection((account.host, server.direct_tls_port)) as plain:
        context.wrap_socket(plain, server_hostname="montague.lit").close()
    assert context.cert_store_stats()["x509_ca"] > 1 or not Path("/etc/ssl/certs/ca-certificates.crt").exists()


def test_former_faults_of_a_link_are_there_again(xmpp_lab: Lab) -> None:
    xmpp_lab.faults.set("s2", "s1", {"delay": "3ms"})
    faults = Faults(xmpp_lab)
    faults("s2", "s1", both=True, loss="50%")
    faults("s2", "s1", rate="64kB/s")
    faults.clear()
    assert {(each.from_, each.to): each.faults for each in xmpp_lab.faults.ls() if each.faults} == {
        ("s2", "s1"): {"delay": "3ms"}
    }
    xmpp_lab.faults.clear()


def test_nothing_of_these_tests_is_left(xmpp_lab: Lab) -> None:
    """Of those that ran before it in this worker."""
    assert [each.jid for each in xmpp_lab.users.ls()] == ["romeo@montague.lit", "juliet@capulet.lit"]
    assert [link for link in xmpp_lab.faults.ls() if link.faults] == []
    assert {node.state for node in xmpp_lab.nodes()} == {"running"}
