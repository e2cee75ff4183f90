"""Contact addresses (XEP-0157)."""

from __future__ import annotations

from cluster.host.disco import INFO
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.data_form import DATA
from tests.network import Network
from tests.unit.modules.asking import ask


def forms(network: Network) -> list[Element]:
    romeo = network.client("romeo@montague.lit/pda")
    return ask(network, romeo, "get", f"<query xmlns='{INFO}'/>", "montague.lit").findall(f"{{{DATA}}}x")


def test_who_runs_the_server() -> None:
    [form] = forms(Network(admin="prìnce escalus@montague.lit"))
    fields = {
        field.get("var"): (field.get("type"), [value.text for value in field])
        for field in form.findall(f"{{{DATA}}}field")
    }
    assert form.get("type") == "result"  # XEP-0128 section 2
    assert fields == {
        "FORM_TYPE": ("hidden", ["http://jabber.org/network/serverinfo"]),
        "admin-addresses": (None, ["xmpp:pr%C3%ACnce%20escalus@montague.lit"]),
    }


def test_nobody_is_made_up(network: Network) -> None:
    assert forms(network) == []
