"""Features of modules after the login: their elements are allowed between the stanzas."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import SM
from cluster.xmpp.streams.feature import Fact, Feature, Receiving


def _offer(stream: Receiving) -> list[Element]:
    """Without stream management where it is enabled: a client would ask for it again, which is an error."""
    enabled = f"{{{SM}}}sm" if stream.facts & Fact.MANAGED else ""
    return [feature for feature in stream.options.features_after_login if feature.tag != enabled]


EXTENSIONS = Feature("extensions", needs=Fact.AUTHENTICATED, offer=_offer)
