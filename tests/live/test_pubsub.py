"""Publish-subscribe and personal eventing with slixmpp's own plugins, over two domains, and across a crash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.clients import RealProgram
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

ROMEO, JULIET, PUBSUB = "romeo@montague.lit", "juliet@capulet.lit", "pubsub.capulet.lit"
METADATA, BOOKMARKS = "urn:xmpp:avatar:metadata", "urn:xmpp:bookmarks:1"
DEVICES, BUNDLE = "eu.siacs.conversations.axolotl.devicelist", "eu.siacs.conversations.axolotl.bundles:31415"
TOPOLOGY = """
name: eventing
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit, pubsub: pubsub.capulet.lit}
accounts:
  romeo@montague.lit: {contacts: [juliet@capulet.lit]}
  juliet@capulet.lit:
  tybalt@capulet.lit:
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("eventing")
    topology = folder / "eventing.yaml"
    topology.write_text(TOPOLOGY)
    yield from RunningLab(folder, topology).while_up()


def client(lab: RunningLab, jid: str) -> RealProgram:
    domain = jid.partition("/")[0].rpartition("@")[2]
    host, _, port = lab.node(domain)["c2s"].rpartition(":")
    program = RealProgram("slixmpp_pep.py", jid, "secret", host, port, lab.ps()["ca_file"])
    program.see("session")
    return program


def test_an_avatar_is_seen_by_a_contact_of_the_other_domain(lab: RunningLab) -> None:
    with client(lab, f"{ROMEO}/orchard") as romeo, client(lab, f"{JULIET}/balcony") as juliet:
        romeo.do("come", wants=[])  # its plugin wants to hear of avatars
        juliet.do("come", wants=[])
        juliet.see("presence", from_=f"{ROMEO}/orchard", type="available")
        juliet.do("avatar", image="a rose")
        id = juliet.see("done", do="avatar")["id"]
        romeo.see("publish", node=METADATA, ids=[id], payloads=["metadata"], from_=JULIET)
        romeo.do("get_avatar", of=JULIET, id=id)
        romeo.see("avatar", image="a rose")
        romeo.do("photo", of=JULIET)  # as old clients look for it (XEP-0398)
        romeo.see("photo", image="a rose")
    with client(lab, f"{ROMEO}/garden") as romeo:  # who comes later hears of it too
        romeo.do("come", wants=[])
        romeo.see("publish", node=METADATA, ids=[id], from_=JULIET)


def test_what_one_feels_hears_and_is_called_reaches_a_contact(lab: RunningLab) -> None:
    with client(lab, f"{ROMEO}/orchard") as romeo, client(lab, f"{JULIET}/balcony") as juliet:
        romeo.do("come", wants=["urn:ietf:params:xml:ns:vcard-4.0", "urn:xmpp:vcard4"])
        juliet.do("come", wants=[])
        juliet.see("presence", from_=f"{ROMEO}/orchard", type="available")
        juliet.do("feel")
        for payload in ("mood", "tune", "geoloc", "activity", "nick", "vcard"):
            romeo.see("publish", payloads=[payload], from_=JULIET)
        juliet.see("done", do="feel")


def test_keys_for_messages_that_only_two_can_read_are_fetched_by_a_stranger_too(lab: RunningLab) -> None:
    with client(lab, f"{ROMEO}/orchard") as romeo, client(lab, "tybalt@capulet.lit/x") as tybalt:
        open_to_all = {"access_model": "open", "persist_items": "true"}
        devices = "<list xmlns='eu.siacs.conversations.axolotl'><device id='31415'/></list>"
        romeo.do("publish", node=DEVICES, id="current", xml=devices, **open_to_all)
        bundle = "<bundle xmlns='eu.siacs.conversations.axolotl'><identityKey>AA==</identityKey></bundle>"
        romeo.do("publish", node=BUNDLE, id="current", xml=bundle, max_items="max", **open_to_all)
        for _ in range(2):
            romeo.see("done", do="publish")
        for node in (DEVICES, BUNDLE):
            tybalt.do("items", node=node, of=ROMEO)
            tybalt.see("items", ids=["current"])
        romeo.do("config", node=BUNDLE)
        romeo.see("config", access_model="open", max_items="max")


def test_a_bookmark_reaches_the_other_clients_of_the_account_old_and_new(lab: RunningLab) -> None:
    with client(lab, f"{ROMEO}/orchard") as romeo, client(lab, f"{ROMEO}/phone") as phone:
        romeo.do("publish", node="urn:example:ready", id="1", xml="<ready xmlns='urn:example:ready'/>")
        romeo.see("done", do="publish")
        phone.do("come", wants=[BOOKMARKS, "urn:example:ready"])
        phone.see("publish", node="urn:example:ready")  # now its server knows what it wants
        room = "hall@conference.capulet.lit"
        private = {"access_model": "whitelist", "persist_items": "true", "max_items": "max"}
        conference = f"<conference xmlns='{BOOKMARKS}' autojoin='true' name='The hall'/>"
        romeo.do("publish", node=BOOKMARKS, id=room, xml=conference, send_last_published_item="never", **private)
        phone.see("publish", node=BOOKMARKS, ids=[room], from_=ROMEO)
        romeo.see("done", do="publish")
        phone.do("bookmarks")
        phone.see("bookmarks", rooms=[room])
        romeo.do("retract", node=BOOKMARKS, id=room)
        phone.see("retract", node=BOOKMARKS, ids=[room])
        romeo.see("done", do="retract")  # the lists are written when the request is answered
        phone.do("bookmarks")
        phone.see("bookmarks", rooms=[])


def test_how_far_one_has_read_is_known_to_the_account_alone(lab: RunningLab) -> None:
    node = "urn:xmpp:mds:displayed:0"
    with client(lab, f"{JULIET}/balcony") as juliet, client(lab, f"{ROMEO}/orchard") as romeo:
        juliet.do("displayed", chat=ROMEO, id="ca21deaf")
        juliet.see("done", do="displayed")
        juliet.do("items", node=node)
        juliet.see("items", ids=[ROMEO])
        romeo.do("items", node=node, of=JULIET)
        romeo.see("refused", do="items", condition="not-allowed")


def test_a_blog_is_read_by_who_subscribes_to_it(lab: RunningLab) -> None:
    node, post = "urn:xmpp:microblog:0", "<entry xmlns='http://www.w3.org/2005/Atom'><title>{}</title></entry>"
    with client(lab, f"{JULIET}/balcony") as juliet, client(lab, f"{ROMEO}/orchard") as romeo:
        romeo.do("come", wants=[])
        romeo.see("presence", from_=f"{ROMEO}/orchard")
        juliet.do("publish", node=node, id="1", xml=post.format("Wherefore"), access_model="open", max_items="max")
        juliet.see("done", do="publish", id="1")
        romeo.do("subscribe", to=JULIET, node=node)
        romeo.see("subscribed", state="subscribed")
        romeo.see("publish", node=node, ids=["1"], from_=JULIET)  # the last one
        juliet.do("publish", node=node, id="2", xml=post.format("Good night"))
        romeo.see("publish", node=node, ids=["2"], payloads=["entry"], from_=JULIET)


def test_a_service_and_its_nodes_outlive_a_kill(lab: RunningLab) -> None:
    with client(lab, f"{ROMEO}/orchard") as romeo:
        with client(lab, f"{JULIET}/balcony") as juliet:
            juliet.do("create", to=PUBSUB, node="news", title="Verona today", max_items="2")
            juliet.see("done", do="create")
            juliet.do("publish", to=PUBSUB, node="news", id="1", xml="<entry xmlns='http://www.w3.org/2005/Atom'/>")
            juliet.see("done", do="publish")
            romeo.do("come", wants=[])
            romeo.see("presence", from_=f"{ROMEO}/orchard")
            romeo.do("subscribe", to=PUBSUB, node="news")
            romeo.see("subscribed", state="subscribed")
            romeo.see("publish", node="news", ids=["1"], from_=PUBSUB)
            romeo.do("nodes", of=PUBSUB)
            romeo.see("nodes", nodes=["news"])
            romeo.do("create", to=PUBSUB, node="mine")
            romeo.see("refused", do="create", condition="forbidden")
        lab.command("kill", "s2")
        lab.until_running("s2", 1)
        with client(lab, f"{JULIET}/balcony") as juliet:
            juliet.do("publish", to=PUBSUB, node="news", id="2", xml="<entry xmlns='http://www.w3.org/2005/Atom'/>")
            romeo.see("publish", node="news", ids=["2"], from_=PUBSUB)
            romeo.do("items", node="news", of=PUBSUB)
            romeo.see("items", ids=["1", "2"])


def test_another_node_takes_the_service_over(tmp_path: Path) -> None:
    """Whichever node has it is killed; a client of the other domain loses nothing but time."""
    topology = tmp_path / "two-nodes.yaml"
    topology.write_text(
        "name: two-nodes\nservers:\n  s1: {domain: montague.lit, nodes: 2, pubsub: "
        "{domain: pubsub.montague.lit, creation: anyone}}\n  s2: {domain: capulet.lit}\n"
        "accounts: {juliet@capulet.lit: }\n"
    )
    lab, at = RunningLab(tmp_path, topology), "pubsub.montague.lit"
    lab.up()
    try:
        with client(lab, f"{JULIET}/balcony") as juliet:
            juliet.do("come", wants=[])
            juliet.do("create", to=at, node="news", access_model="open")
            juliet.see("done", do="create")
            juliet.do("subscribe", to=at, node="news")
            juliet.see("subscribed", state="subscribed")
            for number, node in enumerate(("s1", "s1-2")):
                lab.command("kill", node, "--for", "6s")  # longer than the other waits for its beats
                id = str(number)
                juliet.do("publish", to=at, node="news", id=id, xml="<entry xmlns='http://www.w3.org/2005/Atom'/>")
                juliet.see("done", do="publish", id=id)
                juliet.see("publish", node="news", ids=[id], from_=at)
            juliet.do("items", node="news", of=at)
            juliet.see("items", ids=["0", "1"])
    finally:
        lab.down()
