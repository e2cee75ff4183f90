"""RFC 6121 section 8.5: what becomes of a message, cell by cell of table 1; and of section 5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.rules import core, im
from tests.conformance.site import Client, Site, messages, new_name
from tests.conformance.wire import CLIENT, Element, error_of

ROWS = {
    # situation and address: normal, chat, groupchat, headline (table 1), and error (sections 8.5.2.1.1 to 8.5.3.2.1)
    "nobody bare": ("S/E", "S/E", "E", "S", "S"),
    "nobody full": ("S/E", "S/E", "S/E", "S/E", "S"),
    "none bare": ("O/E", "O/E", "E", "S", "S"),
    "none full": ("S/E", "O/E", "S/E", "S/E", "S"),
    "negative bare": ("O/E", "O/E", "E", "S", "S"),
    "negative match": ("D", "D", "D", "D", "D"),
    "negative full": ("S/E", "O/E", "S/E", "S/E", "S"),
    "one bare": ("D", "D", "E", "D", "S"),
    "one match": ("D", "D", "D", "D", "D"),
    "one full": ("S/E", "D", "S/E", "S/E", "S"),
    "several bare": ("M/A", "M/A", "E", "A", "S"),
    "several match": ("D", "D/A", "D", "D", "D"),
    "several full": ("S/E", "M/A", "S/E", "S/E", "S"),
}
TYPES = ("normal", "chat", "groupchat", "headline", "error")
PRIORITIES: dict[str, tuple[int, ...]] = {"none": (), "negative": (-1,), "one": (3,), "several": (1, 5, -1)}


@dataclass
class Receiver:
    """An account in one of the situations."""

    bare: str
    resources: list[Client]
    priorities: tuple[int, ...]

    def outcome(self, sender: Client, to: str, token: str) -> str:
        """The letter of table 1 for the message that has just been sent."""
        got = [index for index, each in enumerate(self.resources) if has(sender.mark(each), token)]
        errors = [s for s in sender.sync(self.bare) if s.get("id") == token]
        assert not (got and errors)
        if errors:
            assert error_of(errors[0]) == ("cancel", "service-unavailable")
            return "E"
        willing = [index for index, priority in enumerate(self.priorities) if priority >= 0]
        if not got:
            return "S"
        if len(got) == 1 and to == self.resources[got[0]].jid:
            return "D"
        assert set(got) <= set(willing)
        if got == willing:
            return "D" if len(willing) == 1 else "A"
        assert self.priorities[got[0]] == max(self.priorities)
        return "M"


def has(stanzas: list[Element], token: str) -> bool:
    """The message is among them."""
    return any(s.get("id") == token for s in messages(stanzas))


def receiver(site: Site, situation: str, remote: bool) -> Receiver:
    """A new account."""
    domain = site.there if remote else site.here
    if situation == "nobody":
        return Receiver(f"{new_name()}@{domain.name}", [], ())
    name = site.account(domain)
    priorities = PRIORITIES[situation]
    resources = [site.online(domain, name=name, priority=priority) for priority in priorities]
    return Receiver(f"{name}@{domain.name}", resources, priorities)


def cells(*rows: str) -> Callable[[Any], Any]:
    """The test is run for all cells of these rows, inside one domain and between two."""

    def parametrize(test: Any) -> Any:
        test = pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])(test)
        return pytest.mark.parametrize("type", TYPES)(pytest.mark.parametrize("row", rows)(test))

    return parametrize


def check_cell(site: Site, row: str, type: str, remote: bool) -> None:
    """What becomes of the message is what table 1 allows."""
    situation, address = row.split()
    account, sender = receiver(site, situation, remote), site.client()
    to = {"bare": account.bare, "full": f"{account.bare}/gone"}.get(address) or account.resources[0].jid
    token = new_name()
    error = (
        "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" if type == "error" else ""
    )
    sender.send(f"<message to='{to}' id='{token}' type='{type}'><body>hi</body>{error}</message>")
    outcome = account.outcome(sender, to, token)
    if outcome == "S" and situation != "nobody":
        name, domain = account.bare.split("@")[0], site.there if remote else site.here
        late = site.client(domain, name=name)
        late.send("<presence><priority>9</priority></presence>")
        seen = late.until(lambda s: s.get("from") == late.jid)
        if has(seen + late.mark(late) + sender.mark(late), token):
            outcome = "O"
    assert outcome in ROWS[row][TYPES.index(type)].split("/")


@im("8.5.1", "MUST", "A message for no such user is ignored or gets service-unavailable.")
@cells("nobody bare", "nobody full")
def test_nobody(site: Site, row: str, type: str, remote: bool) -> None:
    check_cell(site, row, type, remote)


@im("8.5.2.1.1", "MUST", "A message for a bare JID goes to the available resources, by its type (table 1).")
@im("8.5.2.1.1", "MUST NOT", "A groupchat message for a bare JID is not delivered; it gets an error.")
@im("8.5.2.1.1", "MUST", "An error for a bare JID is ignored.")
@im("5.2.2", "MUST", "A headline for a bare JID reaches at least one available resource.")
@im("5.2.2", "SHOULD", "A headline for a bare JID reaches all available resources of non-negative priority.")
@cells("one bare", "several bare")
def test_bare_jid(site: Site, row: str, type: str, remote: bool) -> None:
    check_cell(site, row, type, remote)


@im("8.5.2.1.1", "MUST NOT", "A message for a bare JID is never delivered to a resource of negative priority.")
@im("8.5.2.1.1", "SHOULD", "With negative priorities only, a message is stored or gets service-unavailable.")
@cells("negative bare")
def test_negative_priority(site: Site, row: str, type: str, remote: bool) -> None:
    check_cell(site, row, type, remote)


@im("8.5.2.2.1", "SHOULD", "Without a resource, normal and chat are stored or get service-unavailable.")
@im("8.5.2.2.1", "MUST", "Without a resource, groupchat gets an error; headline and error are ignored.")
@cells("none bare")
def test_no_resource(site: Site, row: str, type: str, remote: bool) -> None:
    check_cell(site, row, type, remote)


@im("8.5.3.1", "MUST", "A message for a full JID that is there is delivered to that resource.")
@im("5.2.2", "MUST", "A headline for a full JID that is there is delivered to that resource.")
@cells("negative match", "one match", "several match")
def test_full_jid(site: Site, row: str, type: str, remote: bool) -> None:
    check_cell(site, row, type, remote)


@im("8.5.3.2.1", "MUST", "A message for a full JID that is gone is ignored, returned, or (chat) goes on: table 1.")
@cells("none full", "negative full", "one full", "several full")
def test_full_jid_that_is_gone(site: Site, row: str, type: str, remote: bool) -> None:
    check_cell(site, row, type, remote)


@im("8.5.4", "SHOULD NOT", "A chat message does not go to all resources, unless they opted in.")
def test_chat_goes_to_the_most_available(site: Site) -> None:
    account, sender = receiver(site, "several", True), site.client()
    sender.send(f"<message to='{account.bare}' id='x' type='chat'><body>hi</body></message>")
    assert account.outcome(sender, account.bare, "x") == "M"


@im("8.5.2.1.1", "MUST NOT", "The 'to' of a message for a bare JID is not rewritten.")
@pytest.mark.parametrize("remote", [False, True])
def test_to_is_not_rewritten(site: Site, remote: bool) -> None:
    account, sender = receiver(site, "one", remote), site.client()
    sender.send(f"<message to='{account.bare}' id='x'><body>hi</body></message>")
    assert account.resources[0].until(lambda s: s.get("id") == "x")[-1].get("to") == account.bare


@im("5.2.2", "MUST", "A type that is missing or unknown counts as normal.")
@pytest.mark.parametrize("type", ["", " type='nonsense'"])
def test_unknown_type(site: Site, type: str) -> None:
    account, sender = receiver(site, "several", True), site.client()
    sender.send(f"<message to='{account.bare}' id='x'{type}><body>hi</body></message>")
    assert account.outcome(sender, account.bare, "x") in ("M", "A")


@im("5.2.5", "MUST", "A thread is opaque: it arrives as it was sent, with its parent.")
@im("5.2.3", "defined", "Bodies and subjects in several languages arrive as they were sent.")
def test_content(site: Site) -> None:
    account, sender = receiver(site, "one", True), site.client()
    content = "<subject>A</subject><body>hi</body><body xml:lang='cs'>ahoj</body><thread parent='p'>t-1</thread>"
    sender.send(f"<message to='{account.bare}' id='x' type='chat'>{content}</message>")
    message = account.resources[0].until(lambda s: s.get("id") == "x")[-1]
    assert [body.text for body in message.findall(f"{CLIENT}body")] == ["hi", "ahoj"]
    thread = message.find(f"{CLIENT}thread")
    assert thread is not None
    assert (thread.text, thread.get("parent")) == ("t-1", "p")


@core("10.1", "MUST", "Messages that waited arrive in the order in which they were sent.")
def test_order_of_offline_messages(site: Site) -> None:
    name, sender = site.account(site.there), site.client()
    bare = f"{name}@{site.there.name}"
    for number in range(10):
        sender.send(f"<message to='{bare}' id='o{number}' type='chat'><body>{number}</body></message>")
    if any(s.get("type") == "error" for s in sender.sync(bare)):
        site.lacks("this server keeps no messages")
    late = site.client(site.there, name=name)
    late.send("<presence/>")
    seen = messages(late.until(lambda s: s.get("id") == "o9"))
    assert [s.get("id") for s in seen] == [f"o{number}" for number in range(10)]
