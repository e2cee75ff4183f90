"""Session establishment of RFC 3921, which clients of before RFC 6121 ask for after the resource binding."""

from __future__ import annotations

import pytest

from tests.network import MONTAGUE, Network

ASKED = "<iq type='set' id='1'{}><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"


@pytest.mark.parametrize(("to", "sender"), [("", ""), (f" to='{MONTAGUE}'", f" {MONTAGUE}")])
def test_a_session_is_granted(network: Network, to: str, sender: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, ASKED.format(to))
    assert romeo.take() == [f"iq/result{sender} 1"]


def test_it_is_offered_as_something_optional(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    assert b'<session xmlns="urn:ietf:params:xml:ns:xmpp-session"><optional/></session>' in romeo.output
