"""How a person at a phone says whom a text is for: `romeo@montague.lit: text` or `@romeo text`."""

from __future__ import annotations

import re

import msgspec

from cluster.xmpp.jid import Jid, JidError

_FORMS = (
    re.compile(r"\s*(?P<address>[^\s:@]+@[^\s:]+):\s*(?P<text>.+)", re.DOTALL),
    re.compile(r"\s*@(?P<address>[^\s:@]+(@[^\s:@]+)?):?\s+(?P<text>.+)", re.DOTALL),
)


class Addressed(msgspec.Struct, frozen=True):
    """A text, and whom it is for."""

    to: Jid
    """Full where the text names a resource."""
    text: str


def addressed(words: str, home_domain: str) -> Addressed | None:
    """Whom the text names at its beginning; None where it names nobody. A local name is of `home_domain`."""
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
