"""The size limits of a stanza at each step of its way, in one place where they can be compared.

Each step accepts what the previous one may pass on and add, so that an accepted stanza never ends a later stream (RFC
6120 section 13.12 leaves the figures to the implementation). A stanza that grew beyond a step is answered with
`policy-violation` (section 8.3.3.12), and an error omits the original if both do not fit (section 8.3.1).

client --FROM_CLIENT--> server ==CARRIED== server --TO_COMPONENT--> component --FROM_COMPONENT--> server --> client
"""

from __future__ import annotations

import sys

import msgspec

from cluster.base import reasons
from cluster.xmpp.errors import Condition, StanzaError


class Limits(msgspec.Struct, frozen=True):
    """The limits of one stanza."""

    max_bytes: int
    """Of its form in the stream."""
    max_depth: int
    """Nested elements; the stream's own is not counted."""
    max_nodes: int
    """Elements and attributes: the maximum cost of a handler's tree."""


FROM_CLIENT = Limits(262_144, 32, 10_000)
"""What a client may send, over TCP or WebSocket. ejabberd and Prosody have the same number of bytes; real stanzas stay
below a depth of 12.

A WebSocket message declares its namespace in addition (RFC 7395 section 3.3.3), within the same bytes.
"""

CARRIED = Limits(393_216, 36, 10_100)
"""What a server passes on: over a link, to its storage, to another node.

One and a half times FROM_CLIENT: a stanza with prefixes or CDATA is longer when it is written without them
(SMALL_BYTES), and a short message of 64,770 octets has 323,850 bytes if each of them is a `&`.
"""

ADDED_BYTES = 16_384
"""The maximum that servers add to a stanza on its way: two stanza-ids (each with a bare JID of 2,047 bytes), the `from`
and stamp of a delay, a probe, and the error element with its text.

`from` and `xml:lang` are counted already. An address has at most 3,071 bytes (RFC 7622), 8,200 if its resourcepart has
to be escaped.
"""

ENTERING_BYTES = CARRIED.max_bytes - ADDED_BYTES
"""What may enter a server from a client or a component, with its `from`."""

TO_COMPONENT = Limits(458_752, 40, 10_200)
"""What a server writes to a component, and the gateways read: CARRIED in the namespace of components, and a probe."""

FROM_COMPONENT = Limits(524_288, 44, 10_300)
"""What a server reads from a component: an error around the largest stanza that it was sent. Prosody's default for
components."""

FROM_SERVER = Limits(sys.maxsize, sys.maxsize, sys.maxsize)
"""What a client reads from its own server, which it trusts: a long roster; a stanza within `result` and `forwarded`
(XEP-0313), or `received` and `forwarded` (XEP-0280), which is three elements deeper."""

SMALL_BYTES = CARRIED.max_bytes // 14
"""A stanza up to this size stays within CARRIED however it is written: no element, attribute or character takes more
than 14 times its bytes in the form of the serializer.

A larger one is written in that form at once (`element.canonical`), so that later steps only grow it by what they add.
"""


MAX_NAMESPACE = 2_048
"""Characters of a namespace name, everywhere. Parsers write it in front of each name that has its prefix: 200 KB of it,
before 9,000 names in one stanza, would keep a server busy for seconds."""


def too_large(size_bytes: int) -> StanzaError:
    """The error for a stanza that cannot be carried."""
    text = f"a stanza of {size_bytes} bytes cannot be carried; at most {ENTERING_BYTES} can"
    return StanzaError(Condition.POLICY_VIOLATION, text, reason=reasons.TOO_LARGE)


def too_many(why: str) -> StanzaError:
    """The error for a stanza with more elements and attributes than can be carried."""
    return StanzaError(Condition.POLICY_VIOLATION, f"the stanza cannot be carried: {why}", reason=reasons.TOO_LARGE)
