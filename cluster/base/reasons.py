"""Why a stanza is not delivered, waits, or takes another way: every decision that a hop may name, for `xmpplab why`."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """One decision. Hops have its code; the other fields are for people."""

    code: str
    what: str
    """The decision, as a sentence."""
    rule: str
    """The rule that demands it; empty if the decision is the lab's own."""
    remedy: str
    """What to do so that such a stanza arrives."""


NO_ACCOUNT = Reason(
    "no-account", "The domain has no account of this name.", "RFC 6121 section 8.5.1",
    "check the name, or create the account with `xmpplab user add`",
)  # fmt: skip
NO_DOMAIN = Reason(
    "no-domain", "No server of the lab serves this domain.", "RFC 6120 section 10.4",
    "check the domain (`xmpplab ps` lists all), or add a server for it to the topology",
)  # fmt: skip
NO_LINK = Reason(
    "no-link", "No link leads from the sender's domain to this one.", "RFC 6120 section 10.4",
    "add the pair to `links` of the topology, or leave out `mesh: false`",
)  # fmt: skip
NO_COMPONENT = Reason(
    "no-component", "The server knows no component or service at this subdomain.", "RFC 6120 section 10.5",
    "check the address, or declare the component in the topology",
)  # fmt: skip
COMPONENT_AWAY = Reason(
    "component-away", "The component or gateway is not connected to its server.", "XEP-0114 section 3",
    "start it; `xmpplab ps` shows its state, and `xmpplab logs` what it said last",
)  # fmt: skip
OFFLINE = Reason(
    "offline", "The account has no available resource: the message is stored until it logs in.", "XEP-0160 section 3",
    "log in as the receiver and send presence",
)  # fmt: skip
NEGATIVE_PRIORITY = Reason(
    "negative-priority", "All resources of the account have a negative priority: they take no message for the account.",
    "RFC 6121 section 8.5.2.1.1", "send presence with a priority of 0 or more, or write to the full JID",
)  # fmt: skip
NOT_STORED = Reason(
    "not-stored", "The account is offline, and the server cannot store the message.", "RFC 6121 section 8.5.2.2.1",
    "load the module `offline`, or raise `offline_messages` and `offline_bytes`",
)  # fmt: skip
RESOURCE_GONE = Reason(
    "resource-gone", "The resource is not online, and a message of this type is for no other one.",
    "RFC 6121 section 8.5.3.2", "write to the bare JID",
)  # fmt: skip
NO_RESOURCE = Reason(
    "no-resource", "The resource that is asked is not online.", "RFC 6121 section 8.5.3.2.3",
    "ask a resource that is online, or the bare JID: then the server answers",
)  # fmt: skip
NOT_VISIBLE = Reason(
    "not-visible", "The sender may not see the resource: it is not subscribed to the account's presence.",
    "RFC 6121 section 8.5.3.1", "subscribe to the receiver's presence first",
)  # fmt: skip
NOT_A_ROOM = Reason(
    "not-a-room", "A message of type groupchat is for a room, and this is an account.", "RFC 6121 section 8.5",
    "write to a room, or send a message of type chat",
)  # fmt: skip
RECEIVER_BLOCKS = Reason(
    "receiver-blocks", "The receiver blocks the sender.", "XEP-0191 section 3.2",
    "unblock the sender at the receiver's account",
)  # fmt: skip
SENDER_BLOCKS = Reason(
    "sender-blocks", "The sender blocks the receiver.", "XEP-0191 section 3.2",
    "unblock the receiver at the sender's account",
)  # fmt: skip
SERVER_ITSELF = Reason(
    "server-itself", "The message is for the server itself, which reads none.", "RFC 6120 section 10.5.1",
    "write to an account: name@domain",
)  # fmt: skip
IGNORED = Reason(
    "ignored", "Nobody takes a message of this type now, and the standard asks to drop it silently.",
    "RFC 6121 section 8.5", "send a message of type chat or normal",
)  # fmt: skip
CHAT_STATE = Reason(
    "chat-state", "A chat state without a text is not stored.", "XEP-0160 section 3",
    "nothing: it has no meaning later",
)  # fmt: skip
OWN_RESOURCE_GONE = Reason(
    "own-resource-gone", "The message was made by the server for one resource, which is gone.", "",
    "nothing: it has no meaning for another resource",
)  # fmt: skip
ACCOUNT_REMOVED = Reason(
    "account-removed", "The account is being removed.", "XEP-0077 section 3.2", "create the account again",
)  # fmt: skip
TOO_LARGE = Reason(
    "too-large", "The stanza is larger than what the next hop takes.", "RFC 6120 section 13.12",
    "send less at once; docs/limits.md has the bounds",
)  # fmt: skip
STORAGE_REFUSES = Reason(
    "storage-refuses", "The storage of the domain refuses to keep the stanza now.", "RFC 6120 section 8.3.3.18",
    "see why with `xmpplab logs redis`: often its disk or memory is full",
)  # fmt: skip
INTERNAL_ERROR = Reason(
    "internal-error", "Handling the stanza failed.", "RFC 6120 section 8.3.3.6",
    "see `xmpplab logs` of the node: this is a fault of the server",
)  # fmt: skip
LINK_FULL = Reason(
    "link-full", "More waits for the other domain than `router.max_backlog` allows.", "RFC 6120 section 8.3.3.17",
    "see with `xmpplab ps` why the other domain does not read",
)  # fmt: skip
LINKS_FULL = Reason(
    "links-full", "More waits for all other domains together than a server holds in its memory.",
    "RFC 6120 section 8.3.3.18", "see with `xmpplab ps` and `xmpplab logs` which domains cannot be reached",
)  # fmt: skip
ROUTER_AWAY = Reason(
    "router-away", "The router does not answer, and too much waits for it already.", "RFC 6120 section 8.3.3.17",
    "see `xmpplab ps` and `xmpplab logs redis`",
)  # fmt: skip
ROUTER_REFUSES = Reason(
    "router-refuses", "The router refused to take the stanza.", "RFC 6120 section 8.3.3.17",
    "see `xmpplab logs redis`: often its disk or memory is full",
)  # fmt: skip
NO_STREAM = Reason(
    "no-stream", "The server of the other domain cannot be reached, or does not take a stream from this one.",
    "RFC 6120 section 10.4.3", "see `xmpplab logs` of both servers, and `xmpplab check` with the domain",
)  # fmt: skip
KEY_REFUSED = Reason(
    "key-refused", "The other server was told that a dialback key of this one is forged.", "XEP-0220 section 2.1.1",
    "see that each domain is served by one server only, whose address the other one knows",
)  # fmt: skip
FORGED = Reason(
    "forged", "The stanza claims to be from a domain that its link does not belong to.", "RFC 6120 section 8.1.2.2",
    "nothing: a server may speak for its own domain only",
)  # fmt: skip
MISROUTED = Reason(
    "misrouted", "The stanza came over a link to a domain that it is not for.", "RFC 6120 section 8.1.1.2",
    "see the log of the sending server: it writes to the wrong link",
)  # fmt: skip
MALFORMED = Reason(
    "malformed", "The bytes of the stanza are not what one stanza may be.", "RFC 6120 section 11.3",
    "see the log of the sending server",
)  # fmt: skip
NO_ROOM = Reason(
    "no-room", "There is no such room, or its owner has not configured it yet.", "XEP-0045 section 10.1",
    "check the address, or enter the room to create it",
)  # fmt: skip
NOT_IN_ROOM = Reason(
    "not-in-room", "The sender is not in the room.", "XEP-0045 section 7.4",
    "enter it first: presence to ROOM@SERVICE/NICK; after a restart of the room's server, again",
)  # fmt: skip
NO_OCCUPANT = Reason(
    "no-occupant", "Nobody in the room has this nickname.", "XEP-0045 section 7.5",
    "check the nickname; who leaves or changes it is not found by the old one",
)  # fmt: skip
NO_VOICE = Reason(
    "no-voice", "The sender is a visitor in a moderated room.", "XEP-0045 section 7.4",
    "ask for voice (section 7.13), or let a moderator grant it",
)  # fmt: skip
ROOM_FORBIDS = Reason(
    "room-forbids", "The settings of the room do not let the sender do this.", "XEP-0045 section 5",
    "ask an owner of the room to allow it, or for another role or affiliation",
)  # fmt: skip
BANNED = Reason(
    "banned", "The sender is banned from the room.", "XEP-0045 section 7.2.7",
    "ask an admin of the room to take the ban back",
)  # fmt: skip
MEMBERS_ONLY = Reason(
    "members-only", "Only members may enter the room.", "XEP-0045 section 7.2.6",
    "ask an admin of the room to make the sender a member, or a member to invite them",
)  # fmt: skip
ROOM_PASSWORD = Reason(
    "room-password", "The room needs a password, and the sender gave none or another one.", "XEP-0045 section 7.2.5",
    "enter with the password",
)  # fmt: skip
NICK_TAKEN = Reason(
    "nick-taken", "Somebody else has the nickname, has reserved it, or has one that looks like it.",
    "XEP-0045 section 7.2.8", "choose another nickname",
)  # fmt: skip
ROOM_FULL = Reason(
    "room-full", "As many clients are in the room as it takes.", "XEP-0045 section 7.2.9",
    "wait until somebody leaves, or raise the room's `maxusers` or the service's `max_occupants`",
)  # fmt: skip
TOO_MANY_ROOMS = Reason(
    "too-many-rooms", "The service, or the sender's share of it, is full of rooms.", "XEP-0045 section 10.1",
    "destroy rooms that nobody needs, or raise `max_rooms` of the service",
)  # fmt: skip
NO_NODE = Reason(
    "no-node", "There is no such publish-subscribe node, and the sender may not create it.", "XEP-0060 section 6.1.3",
    "check the name of the node, or create it first",
)  # fmt: skip
NO_ACCESS = Reason(
    "no-access", "The access model, the publish model or an affiliation at the node does not let the sender do this.",
    "XEP-0060 section 4",
    "subscribe first, to the node or to its owner's presence, or let an owner of the node give an affiliation",
)  # fmt: skip
PRECONDITION = Reason(
    "precondition-not-met", "The node exists, and is not configured as the publishing options demand.",
    "XEP-0060 section 7.1.5", "configure the node so, or publish without these options",
)  # fmt: skip
NOT_ASKED_FOR = Reason(
    "not-asked-for", "The client is not notified: its capabilities do not have NODE+notify.", "XEP-0163 section 4.3.2",
    "let the client announce the feature NODE+notify in its capabilities (XEP-0115), or subscribe to the node",
)  # fmt: skip
SERVICE_MOVES = Reason(
    "service-moves", "The node that had the service is gone: another node takes it over.", "",
    "wait: it takes about four seconds; see docs/nodes.md",
)  # fmt: skip
CAME_BEFORE = Reason(
    "came-before", "The stanza is a copy: it came before, by way of a node that is gone.", "",
    "nothing: it was delivered once",
)  # fmt: skip
LINK_LOSS = Reason(
    "link-loss", "The fault `loss` of the link lost the stanza.", "",
    "take the fault away with `xmpplab fault clear`",
)  # fmt: skip
NO_TEXT = Reason(
    "no-text", "The message has no text, and the foreign network carries nothing else.", "",
    "nothing: phones and mailboxes know no chat states or receipts",
)  # fmt: skip
NETWORK_REFUSES = Reason(
    "network-refuses", "The foreign network refused the message.", "",
    "see the text of the error; `xmpplab network ls` shows what the network was told to do",
)  # fmt: skip
NOT_REGISTERED = Reason(
    "not-registered", "The sender is not registered with the gateway.", "XEP-0100 section 4.1",
    "register first: in-band registration (XEP-0077) with the gateway's domain",
)  # fmt: skip
PHONE_OFF = Reason(
    "phone-off", "The phone is switched off: the message centre stores the message.", "3GPP TS 23.040 section 3.2.3",
    "switch it on with `xmpplab phone NAME on`",
)  # fmt: skip
UNKNOWN_NUMBER = Reason(
    "unknown-number", "The message centre knows no phone of this number.", "3GPP TS 23.040 section 3.3.2",
    "check the number; the topology lists the phones",
)  # fmt: skip
PHONE_FULL = Reason(
    "phone-full", "The memory of the phone is full.", "3GPP TS 23.040 section 3.2.4",
    "empty its file in the lab's folder, and restart the message centre",
)  # fmt: skip
EXPIRED = Reason(
    "expired", "The validity period of the short message is over.", "3GPP TS 23.040 section 3.2.1",
    "switch the phone on earlier",
)  # fmt: skip
REFUSED = Reason(
    "refused", "The receiver, or who answers for it, refused the stanza.", "RFC 6120 section 8.3.3",
    "see the text of the error",
)  # fmt: skip
# what a stanza waits for
NODE_STOPPED = Reason(
    "node-stopped", "A node on its way does not run.", "", "start it with `xmpplab up`, or see `xmpplab logs` of it",
)  # fmt: skip
NODE_PAUSED = Reason("node-paused", "A node on its way is paused.", "", "continue it with `xmpplab resume`")
REDIS_AWAY = Reason(
    "redis-away", "Redis, which carries and stores everything, does not answer.", "", "see `xmpplab logs redis`",
)  # fmt: skip
LINK_PARTITIONED = Reason(
    "link-partitioned", "The link to the other domain is cut.", "", "heal it with `xmpplab fault clear`",
)  # fmt: skip
LINK_FAULT = Reason(
    "link-fault", "The link to the other domain has a fault.", "", "take it away with `xmpplab fault clear`",
)  # fmt: skip
NETWORK_FAULT = Reason(
    "network-fault", "The foreign network has a fault.", "", "take it away with `xmpplab network clear`",
)  # fmt: skip
ON_ITS_WAY = Reason(
    "on-its-way", "The stanza is on its way, and nothing is known to be in its way.", "",
    "ask again; `xmpplab ps` shows what each part of the lab does",
)  # fmt: skip
TAKEN = Reason(
    "taken", "The server or gateway that it is for has it, and answers or acts on it: it records no further hop.", "",
    "nothing; an answer is a stanza of its own, which `xmpplab why --follow ADDRESS` shows",
)  # fmt: skip
FOREIGN_SERVER = Reason(
    "foreign-server", "The stanza was sent to a server of another kind, which records no hops: its fate is not known.",
    "", "look at the receiving client, and at `xmpplab logs` of that server",
)  # fmt: skip
LATE = Reason(
    "late", "The stanza arrived, but one step took most of the time.", "",
    "see what held up that node then: faults, a pause, load; `xmpplab ps` and `xmpplab logs` tell",
)  # fmt: skip
HIBERNATING = Reason(
    "hibernating", "The client is away: its session waits to be resumed, and keeps what comes.", "XEP-0198 section 5",
    "connect the client again",
)  # fmt: skip
CLIENT_INACTIVE = Reason(
    "client-inactive", "The client says that it is inactive: the server keeps back what is not urgent.",
    "XEP-0352 section 4", "let the client send <active/>",
)  # fmt: skip

ALL: dict[str, Reason] = {each.code: each for each in list(globals().values()) if isinstance(each, Reason)}
"""By their codes."""
