"""How the author of a text names its recipient: `romeo@montague.lit: text` or `@romeo text`."""

from __future__ import annotations

import re

import msgspec

from cluster.xmpp.jid import Jid, JidError

_FORMS = (
    re.compile(r"\s*(?P<address>[^\s:@]+@[^\s:]+):\s*(?P<text>.+)", re.DOTALL),
    re.compile(r"\s*@(?P<address>[^\s:@]+(@[^\s:@]+)?):?\s+(?P<text>.+)", re.DOTALL),
)


class Addressed(msgspec.Struct, frozen=True):
    """A text, and its recipient."""

    to: Jid
    """A full JID if the text names a resource."""
    text: str


def addressed(words: str, home_domain: str) -> Addressed | None:
    """The recipient that the text names at its beginning; None if it names none. A local name is of `home_domain`."""
    for form in _FORMS:
        found = form.fullmatch(words)
        if found is not None:
            address = found["address"]
            try:
                to = Jid.parse(address if "@" in address else f"{address}@{home_domain}")
            except JidError:
                continue
            return Addressed(to, found["text"])
    return None
