"""Delayed Delivery (XEP-0203): the time of a stanza that could not be delivered at once."""

from __future__ import annotations

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import DELAY
from cluster.xmpp.stanza import Stanza

_DELAY = f"{{{DELAY}}}delay"


def delayed(stanza: Stanza, domain: str, came_utc_s: float) -> Stanza:
    """The stanza with the time when it came to this domain, unless it has a stamp of the domain already.

    Such a stanza waited before and was not received: its first arrival counts (section 4).
    """
    tree = stanza.tree
    if any(delay.get("from") == domain for delay in tree.findall(_DELAY)):
        return stanza
    tree.append(Element(_DELAY, {"from": domain, "stamp": timestamp.to_text(came_utc_s)}))
    return msgspec.structs.replace(stanza, payloads=(*stanza.payloads, f"{DELAY} delay"), raw=xml.serialize(tree))
