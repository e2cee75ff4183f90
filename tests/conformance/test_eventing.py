"""XEP-0163: who hears of what an account publishes, and who may have it."""

from __future__ import annotations

from tests.conformance.eventing import (
    NS,
    TUNE,
    Listener,
    Scene,
    ask,
    create,
    done,
    ids,
    publish,
    refusal,
    told_of,
)
from tests.conformance.rules import pep, pubsub

MOOD = "http://jabber.org/protocol/mood"


# --- who is told (XEP-0163 section 4)


@pep("3", "MUST", "A node that does not exist is created by the first publication.")
@pep("4.3.1", "MUST", "A notification is from the bare JID of the account.")
@pep("4.3.1", "SHOULD", "It is for the full JID of a resource whose presence is known.")
@pep("4.3.3", "MUST", "A publication makes a notification for all subscribers that want to hear of the node.")
@pubsub("9.1.2", "MUST", "A contact with a presence subscription counts as subscribed.")
def test_publication(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    message = scene.listener.event(TUNE)
    assert (message.get("from"), message.get("to")) == (scene.owner.bare, scene.listener.client.jid)
    assert told_of([message]) == [(TUNE, "1")]


@pubsub("7.1.2", "SHOULD", "A notification has an id.")
@pubsub("7.1.2.1", "defined", "It has the payload where the node is configured so.")
def test_notification(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    message = scene.listener.event(TUNE)
    assert message.get("id")
    assert message.find(f".//{{{TUNE}}}tune") is not None


@pep("4.3.1", "SHOULD", "It tells subscribers to the presence which resource has published (XEP-0033 replyto).")
def test_replyto(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    [address] = scene.listener.event(TUNE).findall("{http://jabber.org/protocol/address}addresses/*")
    assert (address.get("type"), address.get("jid")) == ("replyto", scene.owner.jid)


@pubsub("9.2", "MUST NOT", "Nobody is told of nodes for which its client has not asked.")
def test_filter(scene: Scene) -> None:
    publish(scene.owner, MOOD, "1")
    publish(scene.owner, TUNE, "1")
    assert (MOOD, "1") not in scene.listener.events_until_mark(scene.owner)


@pep("4.3.2", "MUST", "Each interested resource of a contact gets one notification.")
def test_each_resource(scene: Scene) -> None:
    second = scene.listening(scene.contact, TUNE)
    publish(scene.owner, TUNE, "1")
    for listener in (scene.listener, second):
        assert listener.events_until_mark(scene.owner).count((TUNE, "1")) == 1


@pubsub("9.1.1", "MUST", "The owner counts as subscribed, whatever the access model.")
@pep("4", "defined", "The owner's available resources are told, if they want to hear of it.")
def test_own_resources(scene: Scene) -> None:
    own = scene.listening(scene.owner, TUNE)
    publish(scene.owner, TUNE, "1", access_model="whitelist")
    assert told_of([own.event(TUNE)]) == [(TUNE, "1")]
    assert (TUNE, "1") not in scene.listener.events_until_mark(scene.owner)


@pep("4.3.3", "MUST NOT", "Who is blocked is not told.")
def test_blocked(scene: Scene) -> None:
    block = f"<block xmlns='urn:xmpp:blocking'><item jid='{scene.contact.bare}'/></block>"
    if scene.owner.ask("set", block).get("type") == "error":
        scene.site.lacks("it has no blocking")
    publish(scene.owner, TUNE, "1")
    unblock = f"<unblock xmlns='urn:xmpp:blocking'><item jid='{scene.contact.bare}'/></unblock>"
    assert scene.owner.ask("set", unblock).get("type") == "result"
    scene.owner.send(f"<message to='{scene.listener.client.jid}' id='end' type='chat'><body>end</body></message>")
    seen = scene.listener.until(lambda stanza: stanza.get("id") == "end")
    at_once = [each for each in seen if each.find("{urn:xmpp:delay}delay") is None]
    assert (TUNE, "1") not in told_of(at_once)  # to come back is to be sent the last item


@pep("4.3.3", "MUST", "A resource that comes gets the last item of each node that it wants to hear of.")
@pep("4.3.3", "MUST NOT", "Later presence of it brings no further notification.")
@pep("4.3.4", "MUST", "The default is to send the last item on presence.")
def test_last_item(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    late = scene.listening(scene.contact, TUNE)
    seen = late.events_until_mark(scene.owner)
    late.come("<show>away</show>")
    seen += late.events_until_mark(scene.owner)
    again = Listener(late.client, TUNE, "urn:example:ready")
    again.come("<show>dnd</show>")
    seen += again.events_until_mark(scene.owner)
    assert seen.count((TUNE, "1")) <= 1
    late.client.send("<presence type='unavailable'/>")
    late.come()
    assert told_of([late.event(TUNE)]) == [(TUNE, "1")]


@pubsub("9.2", "MUST", "The hash of capabilities is checked against the answer.")
def test_poisoned_hash(scene: Scene) -> None:
    publish(scene.owner, MOOD, "1")
    honest = Listener(scene.site.client(scene.contact.domain, name=scene.contact.name), MOOD)
    liar = Listener(scene.site.client(scene.contact.domain, name=scene.contact.name), TUNE, said=honest.hash)
    publish(scene.owner, TUNE, "1")
    liar.come()
    liar.event(TUNE)  # what it says of itself is known now
    honest.come()
    assert told_of([honest.event(MOOD)]) == [(MOOD, "1")]


@pep("7.1", "MUST", "Access is calculated anew when a subscription to presence ends.")
def test_lost_access(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    scene.listener.event(TUNE)
    scene.owner.send(f"<presence type='unsubscribed' to='{scene.contact.bare}'/>")
    publish(scene.owner, TUNE, "2")
    assert (TUNE, "2") not in scene.listener.events_until_mark(scene.owner)
    condition, _ = refusal(ask(scene.contact, "get", f"<items node='{TUNE}'/>", scene.owner.bare))
    assert condition == "not-authorized"


# --- access models (XEP-0060 section 4.5, XEP-0163 section 5)


@pep("5", "MUST", "The access model of a new node is `presence`.")
def test_default_access(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    assert ids(scene.contact, TUNE, to=scene.owner.bare) == ["1"]
    assert ask(scene.stranger(), "get", f"<items node='{TUNE}'/>", scene.owner.bare).get("type") == "error"


@pubsub("6.5.9.6", "MUST", "Items for those who see the presence: a stranger gets not-authorized.")
@pubsub("6.1.3.2", "MUST", "So it does when it wants to subscribe.")
def test_presence_access(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1")
    stranger = scene.stranger()
    refused = ask(stranger, "get", f"<items node='{TUNE}'/>", scene.owner.bare)
    assert refusal(refused) == ("not-authorized", "presence-subscription-required")
    refused = ask(stranger, "set", f"<subscribe node='{TUNE}' jid='{stranger.bare}'/>", scene.owner.bare)
    assert refusal(refused) == ("not-authorized", "presence-subscription-required")


@pep("5", "MUST", "The access model `open` is supported.")
@pubsub("6.5.1", "SHOULD", "Everybody may retrieve items of an open node.")
@pubsub("6.1.2", "MUST", "Who may subscribe is told that it is subscribed.")
def test_open_access(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1", access_model="open")
    stranger = scene.stranger()
    assert ids(stranger, TUNE, to=scene.owner.bare) == ["1"]
    answer = done(stranger, "set", f"<subscribe node='{TUNE}' jid='{stranger.bare}'/>", scene.owner.bare)
    [subscription] = answer.findall(f"{NS}subscription")
    assert (subscription.get("jid"), subscription.get("subscription")) == (stranger.bare, "subscribed")
    publish(scene.owner, TUNE, "2")
    seen = stranger.until(lambda stanza: (TUNE, "2") in told_of([stanza]))
    assert told_of(seen)[-1] == (TUNE, "2")


@pep("5", "MUST", "The access model `whitelist` is supported.")
def test_whitelist(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1", access_model="whitelist")
    assert ask(scene.contact, "get", f"<items node='{TUNE}'/>", scene.owner.bare).get("type") == "error"
    assert ids(scene.owner, TUNE) == ["1"]


@pubsub("6.1.3.4", "MUST", "Who is not on the list gets not-allowed and closed-node for a subscription.")
@pubsub("6.5.9.8", "MUST", "And for items.")
def test_whitelist_access(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1", access_model="whitelist")
    refused = ask(scene.contact, "set", f"<subscribe node='{TUNE}' jid='{scene.contact.bare}'/>", scene.owner.bare)
    assert refusal(refused) == ("not-allowed", "closed-node")
    refused = ask(scene.contact, "get", f"<items node='{TUNE}'/>", scene.owner.bare)
    assert refusal(refused) == ("not-allowed", "closed-node")


@pubsub("4.5", "MUST", "Members of a node with a list may retrieve its items.")
@pubsub("8.9.2", "defined", "An owner gives affiliations.")
def test_members(scene: Scene) -> None:
    publish(scene.owner, TUNE, "1", access_model="whitelist")
    member = f"<affiliation jid='{scene.contact.bare}' affiliation='member'/>"
    done(scene.owner, "set", f"<affiliations node='{TUNE}'>{member}</affiliations>", owner=True)
    assert ids(scene.contact, TUNE, to=scene.owner.bare) == ["1"]


@pep("5", "MUST", "The access model `roster` is supported.")
@pubsub("6.5.9.7", "MUST", "Who is not in a group of the roster gets not-authorized and not-in-roster-group.")
def test_roster_access(scene: Scene) -> None:
    create(scene.owner, TUNE, access_model="roster", roster_groups_allowed="Friends")
    publish(scene.owner, TUNE, "1")
    refused = ask(scene.contact, "get", f"<items node='{TUNE}'/>", scene.owner.bare)
    assert refusal(refused) == ("not-authorized", "not-in-roster-group")
    scene.owner.set_item(f"<item jid='{scene.contact.bare}'><group>Friends</group></item>")
    assert ids(scene.contact, TUNE, to=scene.owner.bare) == ["1"]
