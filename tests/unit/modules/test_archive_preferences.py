"""Which messages an account wants to be archived (XEP-0441)."""

from __future__ import annotations

import pytest

from cluster.store.memory_archives import MemoryArchives
from cluster.xmpp import element as xml
from cluster.xmpp.extensions import mam_prefs
from cluster.xmpp.namespaces import MAM
from tests.client import child
from tests.network import MONTAGUE, Network
from tests.unit.modules.archives import JULIET, ROMEO, ask, bodies, chat, prefs, refusal, with_contacts


@pytest.fixture
def friends(network: Network) -> Network:
    return with_contacts(network)


def test_preferences_are_applied_and_stay(friends: Network) -> None:
    romeo, juliet, tybalt = friends.online(ROMEO), friends.online(JULIET), friends.online("tybalt@capulet.lit/x")
    archives = friends.servers[MONTAGUE].store.archives
    assert isinstance(archives, MemoryArchives)

    def said() -> list[str | None]:
        friends.say(juliet, chat(ROMEO, "contact"))
        friends.say(tybalt, chat(ROMEO, "stranger"))
        now = bodies(friends, romeo)
        archives.forget("romeo")
        return now

    shown = ask(friends, romeo, "get", f"<prefs xmlns='{MAM}'/>")
    assert child(shown, "prefs", MAM).get("default") == "always"
    assert said() == ["contact", "stranger"]
    for wanted, expected in (
        (prefs("roster"), ["contact"]),
        (prefs("always"), ["contact", "stranger"]),
        (prefs("never", always="tybalt@capulet.lit"), ["stranger"]),
        (prefs("always", never="juliet@capulet.lit"), ["stranger"]),
        (prefs("never"), []),
    ):
        applied = ask(friends, romeo, "set", wanted)
        assert xml.serialize(child(applied, "prefs", MAM)) == xml.serialize(xml.parse(wanted.encode()))
        assert said() == expected
    romeo.close()
    friends.settle()
    romeo = friends.online(ROMEO)
    assert child(ask(friends, romeo, "get", f"<prefs xmlns='{MAM}'/>"), "prefs", MAM).get("default") == "never"


def test_bad_preferences(network: Network) -> None:
    romeo = network.online(ROMEO)
    assert refusal(ask(network, romeo, "set", prefs("sometimes"))) == "bad-request"
    many = "".join(f"<jid>a{number}@b.lit</jid>" for number in range(mam_prefs.MAX_LISTED + 1))
    too_many = prefs("always").replace("<always>", f"<always>{many}")
    assert refusal(ask(network, romeo, "set", too_many)) == "resource-constraint"
    long = "".join(f"<jid>a{number}@b.lit/{'x' * 1_000}</jid>" for number in range(200))
    too_large = prefs("always").replace("<always>", f"<always>{long}")
    assert refusal(ask(network, romeo, "set", too_large)) == "resource-constraint"
