"""The blocking command (XEP-0191): who sees whom come and go."""

from __future__ import annotations

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.network import ELSINORE, Network
from tests.unit.modules.blocklists import JULIET, ROMEO, block, unblock


def test_presence_vanishes(network: Network) -> None:
    network.friends(JULIET, ROMEO)  # section 3.3
    balcony, romeo = network.online(f"{JULIET}/balcony"), network.online(f"{ROMEO}/pda")
    block(network, balcony, ROMEO)
    network.forget()
    network.say(romeo, "<presence><show>away</show></presence>")
    network.say(romeo, f"<presence to='{JULIET}/balcony'/><presence to='{JULIET}' type='unsubscribe'/>")
    network.say(romeo, f"<presence to='{JULIET}' type='subscribe'/>")
    romeo.take()
    network.abroad.send(
        make("presence", to=Jid.parse(JULIET), from_=Jid.parse(f"hamlet@{ELSINORE}"), type="probe"),
    )
    network.settle()
    assert balcony.take() == []
    item = network.item(JULIET, ROMEO)
    assert item is not None
    assert item.subscription == "both"  # section 4: polite blocking
    for _ in range(2):  # a probe is not answered, neither now nor when nobody is there
        late = network.client(f"{ROMEO}/late")
        network.say(late, "<presence/>")
        assert [line for line in late.take() if JULIET in line] == []
        late.close()
        balcony.close()
        network.settle()


def test_who_is_blocked_sees_one_go_and_come(network: Network) -> None:
    network.friends(JULIET, ROMEO)
    network.contact(JULIET, "mercutio@montague.lit", subscription="from")
    network.contact(JULIET, "benvolio@montague.lit", subscription="to")
    network.contact("benvolio@montague.lit", JULIET, subscription="from")
    romeo, mercutio = network.online(f"{ROMEO}/pda"), network.online("mercutio@montague.lit/x")
    benvolio = network.online("benvolio@montague.lit/x")
    chamber, balcony = network.online(f"{JULIET}/chamber"), network.online(f"{JULIET}/balcony", priority=5)
    gone = [f"presence/unavailable {JULIET}/chamber", f"presence/unavailable {JULIET}/balcony"]
    back = [f"presence {JULIET}/chamber", f"presence {JULIET}/balcony: 5"]

    block(network, balcony, ROMEO, "benvolio@montague.lit")  # section 3.3
    assert (romeo.take(), mercutio.take(), benvolio.take()) == (gone, [], [])
    block(network, balcony, "montague.lit")
    assert (romeo.take(), mercutio.take(), benvolio.take()) == ([], gone, [])
    network.say(chamber, "<presence><show>away</show></presence><presence/>")
    assert (romeo.take(), mercutio.take()) == ([], [])
    network.forget()

    unblock(network, balcony, "montague.lit")  # section 3.4
    assert (romeo.take(), mercutio.take(), benvolio.take()) == ([], back, [])
    unblock(network, balcony)  # section 3.5
    assert (romeo.take(), mercutio.take(), benvolio.take()) == (back, [], [])
    for client in (chamber, balcony):  # and sees them again
        seen = [line for line in client.take() if line.startswith("presence")]
        assert sorted(set(seen)) == ["presence benvolio@montague.lit/x", f"presence {ROMEO}/pda"]


def test_one_resource_of_a_contact(network: Network) -> None:
    network.friends(JULIET, ROMEO)
    pda, phone = network.online(f"{ROMEO}/pda"), network.online(f"{ROMEO}/phone")
    balcony = network.online(f"{JULIET}/balcony")
    block(network, balcony, f"{ROMEO}/pda")
    assert (pda.take(), phone.take()) == ([f"presence/unavailable {JULIET}/balcony"], [])
    unblock(network, balcony, f"{ROMEO}/pda")
    assert (pda.take(), phone.take()) == ([f"presence {JULIET}/balcony"], [])


def test_directed_presence_is_taken_back(network: Network) -> None:
    romeo, balcony = network.client(f"{ROMEO}/pda"), network.online(f"{JULIET}/balcony")
    network.say(balcony, f"<presence to='{ROMEO}/pda'/>")
    network.forget()
    block(network, balcony, ROMEO)
    assert romeo.take() == [f"presence/unavailable {JULIET}/balcony"]
    balcony.close()
    network.settle()
    assert romeo.take() == []


def test_a_login_tells_and_asks_nobody_who_is_blocked(network: Network) -> None:
    network.contact(JULIET, f"hamlet@{ELSINORE}", subscription="both")
    balcony = network.client(f"{JULIET}/balcony")
    block(network, balcony, f"hamlet@{ELSINORE}")
    network.say(balcony, "<presence/>")
    balcony.close()
    network.settle()
    assert network.abroad.take() == []


def test_a_request_that_waits_is_not_shown_while_its_sender_is_blocked(network: Network) -> None:
    network.account(JULIET)
    romeo = network.online(f"{ROMEO}/pda")
    network.say(romeo, f"<presence to='{JULIET}' type='subscribe'/>")
    balcony = network.client(f"{JULIET}/balcony")
    block(network, balcony, ROMEO)
    network.say(balcony, "<presence/>")
    assert balcony.take() == [f"presence {JULIET}/balcony"]
    unblock(network, balcony, ROMEO)
    network.say(balcony, "<presence type='unavailable'/><presence/>")
    assert f"presence/subscribe {ROMEO}" in balcony.take()
