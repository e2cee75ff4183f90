"""Hooks: the points at which the server calls modules beside their requests, and the types of their handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

Hook = Literal["available", "bound", "gone", "kept", "load", "published", "restored", "store"]
"""Points at which a module may act; the handlers of one hook run in the order of the modules' names.

available: a session became available with a priority that is not negative; handler(ctx, account, session)
bound: a client got its session together with its login (XEP-0386), and waits for the answer; handler(ctx, account,
    NewSession)
gone: a session has ended; handler(ctx, account, session)
kept: a client of the account stored a document; handler(ctx, account, element). `element`: the vCard, or the `<query>`
    with what is stored under one name of private XML
load: an account is loaded with its state, before its first use; handler(ctx, account, None)
published: a node of the account has changed (XEP-0163); handler(ctx, account, pubsub.service.Change)
restored: a session of another process is here with its state; handler(ctx, account, session)
store: no resource is available for a message; handler(ctx, account, ForLater), True if it is stored now
"""

HookHandler = Callable[..., Awaitable[bool]]
"""Gets the context, the account, and the hook's argument. The first handler that returns True ends the hook."""

MessageHook = Literal["sent", "arriving", "delivered"]
"""Points on the way of a message. Handlers are called on the message path: they return at once, and take almost no time
for messages that do not concern them. They run in the order of the modules' names.

sent: a session of this domain sent a message, and it is on its way; handler(ctx, session, copy) -> (copy, settled).
    The copy is the account's own: later handlers see what a handler changes, the receiver never does.
arriving: a message arrived for an account, and is to be delivered; handler(ctx, account, stanza) -> stanza.
    Not called again for a message that goes to another resource because the first one never got it.
delivered: it was delivered, or is stored for later; handler(ctx, account, stanza, sessions) -> settled.
    `sessions` got it, none if it is stored. Not called for messages that were refused or ignored.

`arriving` and `delivered` are not called for messages of rooms (type groupchat), which concern their receiver alone.

settled: when what the handler stores is safe, None if it is already (see base/settled.py).
"""

PresenceHook = Literal["leaving", "sent", "concerns", "received", "gone", "shown", "regrouped"]
"""Points on the way of presence. Handlers return at once; the server reads on from the sender when all that they return
has settled. They run in the order of the modules' names, after the server has handled the presence.

leaving: a session of this domain sends available presence, to all or to one address; handler(ctx, session, stanza) ->
    the stanza to send. These handlers are called before everything else.
sent: a session of this domain broadcast available presence, its first or a later one, and its contacts are told;
    handler(ctx, session, stanza) -> settled. `session.presence` is the stanza.
concerns: presence arrived for an account without a session, and would be `received` or `gone`; handler(ctx, stanza,
    is_alone) -> whether the module needs the account for it; otherwise it is not loaded. `is_alone`: no other node
    serves the domain. A module without this handler needs all.
received: available presence arrived for an account (`to` is bare) or for one of its resources, from a contact or
    anybody else, with a session of the account or without one; handler(ctx, account, stanza) -> settled
gone: unavailable presence of a session of the account, which it sent or which follows from the end of its stream; or
    unavailable or error presence for the account or one of its resources; handler(ctx, account, stanza) -> settled.
    `from` is gone: a resource, or all of them if it is bare.
shown: a contact may see the account from now on; handler(ctx, account, jid) -> settled
regrouped: a contact is in other groups of the roster; handler(ctx, account, item) -> settled. `item`: as it was before.

Subscription requests and probes are not presence in this sense, and presence of blocked addresses is left out.
"""
