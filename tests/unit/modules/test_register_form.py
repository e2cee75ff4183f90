"""Registration by a data form (XEP-0077 section 4), as Dino does it."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.namespaces import REGISTER
from tests.client import child
from tests.network import MONTAGUE, Network, at_once
from tests.unit.modules.registering import before_login, form, iq, login


@pytest.fixture
def opened() -> Network:
    return Network(registration=True)


def test_a_data_form_is_offered_beside_the_fields(opened: Network) -> None:
    query = child(xml.parse(before_login(opened, iq("get")).encode()), "query", REGISTER)  # section 4
    offered = child(query, "x", DATA)
    assert offered.get("type") == "form"
    fields = {each.get("var"): each for each in offered.findall(f"{{{DATA}}}field")}
    kinds = {name: each.get("type") for name, each in fields.items()}
    assert kinds == {"FORM_TYPE": "hidden", "username": "text-single", "password": "text-private"}
    assert [each.text for each in fields["FORM_TYPE"]] == [REGISTER]
    assert all(fields[name].find(f"{{{DATA}}}required") is not None for name in ("username", "password"))


@pytest.mark.parametrize("form_type", [REGISTER, ""])
@pytest.mark.parametrize("beside", ["", login("benvolio", "x")])
def test_a_submitted_form_makes_an_account(opened: Network, form_type: str, beside: str) -> None:
    content = form("romeo", "wherefore", form_type=form_type) + beside  # section 4: the form counts
    assert 'type="result"' in before_login(opened, iq("set", content))
    assert opened.login("romeo@montague.lit/pda", password="wherefore").jid
    assert at_once(opened.servers[MONTAGUE].store.accounts.names()) == ["romeo"]


def test_a_submitted_form_changes_the_password(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, iq("get"))
    shown = child(child(romeo.stanzas[0], "query", REGISTER), "x", DATA)
    assert [each.text for each in shown.iter(f"{{{DATA}}}value")] == [REGISTER, "romeo"]
    network.say(romeo, iq("set", form("romeo", "new")))
    assert romeo.take()[-1] == "iq/result 1"
    assert network.login("romeo@montague.lit/x", password="new").failed is None


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (form("", "x"), "not-acceptable"),
        (form("romeo", ""), "not-acceptable"),
        (form("benvolio", "x"), "conflict"),
        (form("romeo", "x", kind="cancel"), "bad-request"),
        (form("romeo", "x", form_type="urn:else"), "bad-request"),
    ],
)
def test_a_form_that_makes_no_account(opened: Network, content: str, condition: str) -> None:
    opened.account("benvolio@montague.lit")
    assert f"<{condition} " in before_login(opened, iq("set", content))
    assert at_once(opened.servers[MONTAGUE].store.accounts.names()) == ["benvolio"]
