"""The roster (RFC 6121 section 2): get, set, remove, pushes, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cluster.server.im import roster as server_roster
from cluster.store.limits import Limit, Limits
from cluster.store.memory import memory_store
from cluster.store.port import RosterItem
from cluster.xmpp.jid import Jid
from tests.client import Client
from tests.conformance.rules import im
from tests.network import MONTAGUE, Network, watched_log
from tests.told import roster

ROMEO = "romeo@montague.lit"
GET = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"


def set_(content: str, id: str = "1", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='set' id='{id}'{address}><query xmlns='jabber:iq:roster'>{content}</query></iq>"


def groups(count: int, size: int) -> str:
    return "".join(f"<group>{number:0{size}}</group>" for number in range(count))


def shown(network: Network, jid: str = f"{ROMEO}/reader") -> str:
    """The roster, as a new resource gets it."""
    reader = network.client(jid)
    network.say(reader, GET)
    [result] = reader.stanzas
    reader.close()
    network.settle()
    return roster(result[0])


def test_an_empty_roster(network: Network) -> None:
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, GET)
    [result] = romeo.stanzas  # section 2.1.4
    assert [element.tag for element in result.iter()][1:] == ["{jabber:iq:roster}query"]
    assert romeo.take() == ["iq/result r: query"]


def test_a_contact_is_added_changed_and_removed(network: Network) -> None:
    romeo, phone = network.online(f"{ROMEO}/pda"), network.online(f"{ROMEO}/phone")
    mute = network.online(f"{ROMEO}/mute", roster=False)
    network.forget()
    steps = [
        (
            "<item jid='juliet@capulet.lit' name='Juliet'><group>Verona</group><group>Lovers</group></item>",
            "juliet@capulet.lit none 'Juliet' Verona Lovers",
        ),
        ("<item jid='juliet@capulet.lit' name='My love'/>", "juliet@capulet.lit none 'My love'"),
        ("<item jid='juliet@capulet.lit'/>", "juliet@capulet.lit none"),
    ]
    for item, then in steps:  # sections 2.3 and 2.4
        network.say(romeo, set_(item))
        assert (romeo.take(), phone.take(), mute.take()) == ([f"push {then}", "iq/result 1"], [f"push {then}"], [])
        assert shown(network) == then
    network.say(romeo, set_("<item jid='juliet@capulet.lit' subscription='remove'/>"))  # section 2.5
    gone = "push juliet@capulet.lit remove"
    assert (romeo.take(), phone.take(), mute.take()) == ([gone, "iq/result 1"], [gone], [])
    assert shown(network) == ""


def test_a_push_says_who_it_is_from_and_for(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")  # section 2.1.6
    network.say(romeo, set_("<item jid='juliet@capulet.lit'/>") * 2)
    pushes = [stanza for stanza in romeo.stanzas if stanza.get("type") == "set"]
    assert [(push.get("from"), push.get("to")) for push in pushes] == [(ROMEO, f"{ROMEO}/pda")] * 2
    assert len({push.get("id") for push in pushes}) == 2


def test_a_subscription_is_not_a_clients_to_set(network: Network) -> None:
    network.contact(ROMEO, "juliet@capulet.lit", subscription="to")
    romeo = network.client(f"{ROMEO}/pda")
    for attributes in ("subscription='both'", "subscription='none'", "ask='subscribe'", "approved='true'"):
        network.say(romeo, set_(f"<item jid='juliet@capulet.lit' {attributes}/>"))  # sections 2.1.2 and 2.3.1
        assert romeo.take() == ["iq/result 1"]
        assert shown(network) == "juliet@capulet.lit to"


@pytest.mark.parametrize(
    ("item", "condition"),
    [
        ("", "modify bad-request"),  # section 2.3.3, also below
        ("<item jid='a@capulet.lit'/><item jid='b@capulet.lit'/>", "modify bad-request"),
        ("<item/>", "modify jid-malformed"),
        ("<item jid='@'/>", "modify jid-malformed"),
        ("<item jid='a@capulet.lit'><group>x</group><group>x</group></item>", "modify bad-request"),
        ("<item jid='a@capulet.lit'><group/></item>", "modify not-acceptable"),
        (f"<item jid='a@capulet.lit' name='{'x' * 1024}'/>", "modify not-acceptable"),
        (f"<item jid='a@capulet.lit'><group>{'ä' * 512}</group></item>", "modify not-acceptable"),
        (f"<item jid='a@capulet.lit'>{groups(240, 1_000)}</item>", "modify not-acceptable"),
        ("<item jid='a@capulet.lit' subscription='remove'/>", "cancel item-not-found"),  # section 2.5.3
    ],
)
def test_what_is_refused(network: Network, item: str, condition: str) -> None:
    romeo, phone = network.online(f"{ROMEO}/pda"), network.online(f"{ROMEO}/phone")
    network.forget()
    network.say(romeo, set_(item))
    assert romeo.take() == [f"iq/error 1: {condition}"]
    assert phone.take() == []
    assert shown(network) == ""


def test_a_mere_request_cannot_be_removed(network: Network) -> None:
    romeo, juliet = network.online(f"{ROMEO}/pda"), network.client("juliet@capulet.lit/x")
    network.say(juliet, f"<presence to='{ROMEO}' type='subscribe'/>")
    romeo.take()
    network.say(romeo, set_("<item jid='juliet@capulet.lit' subscription='remove'/>"))
    assert romeo.take() == ["iq/error 1: cancel item-not-found"]
    network.say(romeo, set_("<item jid='juliet@capulet.lit' name='Juliet'/>"))
    assert romeo.take() == ["push juliet@capulet.lit none 'Juliet'", "iq/result 1"]
    network.say(romeo, "<presence to='juliet@capulet.lit' type='subscribed'/>")
    assert romeo.take() == ["push juliet@capulet.lit from 'Juliet'"]


def test_a_roster_has_an_end() -> None:
    network = Network(limits=Limits(roster=Limit(2, 10_000)))
    romeo = network.online(f"{ROMEO}/pda")
    for name in "abc":
        network.say(romeo, set_(f"<item jid='{name}@capulet.lit'/>", id=name))
    assert romeo.take()[-1] == "iq/error c: wait resource-constraint"
    network.say(romeo, set_("<item jid='a@capulet.lit' name='A'/>"))
    assert shown(network) == "a@capulet.lit none 'A', b@capulet.lit none"
    romeo.take()
    for type in ("subscribe", "subscribed"):  # a contact too, and one that is approved before it asks
        network.say(romeo, f"<presence to='d@capulet.lit' type='{type}'/>")
        assert romeo.take() == ["presence/error d@capulet.lit: wait resource-constraint"]


def test_a_roster_has_an_end_in_bytes() -> None:
    network = Network(limits=Limits(roster=Limit(100, 10_000)))
    romeo = network.online(f"{ROMEO}/pda")
    for name in "abc":
        network.say(romeo, set_(f"<item jid='{name}@capulet.lit'>{groups(4, 1_000)}</item>", id=name))
    assert romeo.take()[-1] == "iq/error c: wait resource-constraint"
    network.say(
        romeo, set_("<item jid='a@capulet.lit'/>") + set_(f"<item jid='c@capulet.lit'>{groups(4, 1_000)}</item>")
    )
    assert romeo.take()[-1] == "iq/result 1"
    network.say(romeo, set_("<item jid='b@capulet.lit' subscription='remove'/>"))
    network.say(romeo, set_(f"<item jid='d@capulet.lit'>{groups(4, 1_000)}</item>", id="d"))
    assert romeo.take()[-1] == "iq/result d"


def test_a_roster_that_is_larger_than_it_may_be_stops_no_login() -> None:
    """It was stored before there was a limit."""
    network = Network(limits=Limits(roster=Limit(100, 100_000)))
    many = tuple(f"{number:01000}" for number in range(240))
    for number in range(150):
        network.contact(ROMEO, f"c{number}@capulet.lit", name="A name", groups=many)
    network.contact(ROMEO, "juliet@capulet.lit", groups=("Verona",), subscription="both")
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, GET)
    assert len(romeo.stanzas[0][0]) == 151  # each contact is there, and what is too much of it is not
    assert "juliet@capulet.lit both Verona" in roster(romeo.stanzas[0][0])
    network.forget()
    network.say(romeo, set_("<item jid='c1@capulet.lit' subscription='remove'/>"))
    assert romeo.take() == ["push c1@capulet.lit remove", "iq/result 1"]


def test_the_version_of_a_roster_takes_as_many_steps_as_contacts_change(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network()
    for number in range(100):
        network.contact(ROMEO, f"c{number}@capulet.lit")
    romeo = network.online(f"{ROMEO}/pda")
    steps: list[RosterItem] = []
    hash_of = server_roster._hash
    monkeypatch.setattr(server_roster, "_hash", lambda item: steps.append(item) or hash_of(item))
    for number in range(100):
        network.say(romeo, set_(f"<item jid='c{number}@capulet.lit' name='x'/>"))
    assert len(steps) == 200  # what it was, and what it is


@pytest.mark.parametrize("other", ["benvolio@montague.lit", "juliet@capulet.lit", "capulet.lit", "montague.lit"])
def test_nobody_elses_roster(network: Network, other: str) -> None:
    if "@" in other:
        network.account(other)
    romeo = network.client(f"{ROMEO}/pda")
    network.say(romeo, GET.replace("<iq", f"<iq to='{other}'") + set_("<item jid='a@capulet.lit'/>", to=other))
    condition = "auth forbidden" if "@" in other else "cancel service-unavailable"  # RFC 6121 sections 2.1.5 and 2.3.3
    assert romeo.take() == [f"iq/error {other} {id}: {condition}" for id in "r1"]


def test_names_and_groups_stay_what_they_are(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, set_("<item jid='a@capulet.lit' name='&lt;A&gt; &amp; &quot;Ä&quot;'><group> x </group></item>"))
    assert shown(network) == "a@capulet.lit none '<A> & \"Ä\"'  x "


def test_a_full_jid_becomes_a_bare_contact(network: Network) -> None:
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, set_("<item jid='Juliet@CAPULET.lit/balcony'/>"))
    assert romeo.take()[0] == "push juliet@capulet.lit none"


def version(network: Network, client: Client, known: str) -> tuple[str | None, str | None]:
    """The version and the items that a request with this `ver` gets; None for each where the client has it already."""
    network.say(client, f"<iq type='get' id='v'><query xmlns='jabber:iq:roster' ver='{known}'/></iq>")
    result = client.stanzas.pop()
    assert (result.get("id"), result.get("type")) == ("v", "result")
    return (result[0].get("ver"), roster(result[0])) if len(result) else (None, None)


def test_an_unchanged_roster_is_not_sent_again(network: Network) -> None:
    romeo = network.client(f"{ROMEO}/pda")  # section 2.6.3
    assert b'<ver xmlns="urn:xmpp:features:rosterver"/>' in romeo.output  # section 2.6.1
    empty, items = version(network, romeo, "")
    assert (bool(empty), items) == (True, "")
    network.say(romeo, set_("<item jid='juliet@capulet.lit' name='J'><group>b</group><group>a</group></item>"))
    pushed = romeo.stanzas[0][0].get("ver")
    assert pushed not in (None, empty)
    romeo.take()
    assert version(network, romeo, str(empty)) == (pushed, "juliet@capulet.lit none 'J' b a")
    assert version(network, romeo, str(pushed)) == (None, None)
    romeo.close()
    phone = network.client(f"{ROMEO}/phone")
    assert version(network, phone, str(pushed)) == (None, None)
    network.say(phone, set_("<item jid='nurse@capulet.lit'/>"))  # it is interested all the same
    assert phone.take()[0] == "push nurse@capulet.lit none"


def test_the_version_is_that_of_what_is_shown(network: Network) -> None:
    network.friends(ROMEO, "juliet@capulet.lit")
    romeo, nurse = network.client(f"{ROMEO}/pda"), network.client("nurse@capulet.lit/x")
    before, _ = version(network, romeo, "")
    network.say(nurse, f"<presence to='{ROMEO}' type='subscribe'/>")  # section 3.1.3: not in the roster yet
    assert version(network, romeo, str(before)) == (None, None)
    network.say(romeo, "<presence to='juliet@capulet.lit' type='unsubscribed'/>")
    pushed = romeo.stanzas[0][0].get("ver")
    assert version(network, romeo, str(pushed)) == (None, None)
    assert pushed != before


def test_pre_approval_is_announced(network: Network) -> None:
    romeo = network.client(f"{ROMEO}/pda")  # section 3.4.1
    assert b'<sub xmlns="urn:xmpp:features:pre-approval"/>' in romeo.output


@im("2.2", "MUST", "A roster that cannot be read is answered with an error.")
def test_a_roster_that_cannot_be_read() -> None:
    """The account is loaded for the login, so that is where it shows: the client is told, and may try again."""

    class Broken:
        async def load(self, localpart: str) -> dict[Jid, RosterItem]:
            raise ConnectionError("the disk is gone")

    broken: Any = Broken()
    network = Network(stores={MONTAGUE: replace(memory_store(), rosters=broken)})
    network.account(ROMEO)
    with watched_log() as failures:
        romeo = network.login(f"{ROMEO}/pda")
    assert len(failures) == 1
    assert romeo.failed is not None
    assert romeo.failed.condition == "internal-server-error"
