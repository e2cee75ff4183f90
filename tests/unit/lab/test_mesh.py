"""Commands in a lab where not every two servers are joined."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.lab.clients.names import first_pair
from cluster.lab.errors import BadInput
from cluster.lab.faults import LinkFaults
from cluster.lab.folder import LabFolder
from cluster.topology.plan import AccountSeed, ContactSeed, Plan, XmpplabServer
from cluster.xmpp.jid import Jid

CONTACTS = tuple(map(ContactSeed, ("juliet@capulet.lit", "falstaff@shakespeare.lit")))


def star() -> Plan:
    """Nothing joins the first two servers."""
    domains = {"montague.lit": "shakespeare.lit", "capulet.lit": "shakespeare.lit", "shakespeare.lit": ""}
    servers = [
        XmpplabServer(f"s{number}", domain, f"127.16.0.{number}", 5222, "off", peers=(peer,))
        for number, (domain, peer) in enumerate(domains.items(), 1)
    ]
    servers[0] = replace(servers[0], accounts=(AccountSeed("romeo", "secret", CONTACTS),))
    servers[2] = replace(servers[2], peers=("montague.lit", "capulet.lit"))
    return Plan("star", "star.yaml", "/lab", tuple(servers))


def test_a_first_message_goes_where_a_link_leads() -> None:
    assert first_pair(star()) == (Jid("romeo", "montague.lit"), Jid("falstaff", "shakespeare.lit"))


def test_where_no_link_is_none_can_be_bad(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "star")
    folder.create()
    folder.save_plan(star())
    with pytest.raises(BadInput, match="no link joins s1 and s2; give them one under `links` of the topology"):
        LinkFaults(folder).set("s1", "s2", {"delay": "1s"})
