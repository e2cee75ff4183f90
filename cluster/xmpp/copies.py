"""One stanza for many: what a room, a publisher and presence write, whose copies differ in their receiver only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, addressed, opening, to_attribute


class Copies(msgspec.Struct, frozen=True, gc=False):
    """A stanza together with its receivers. It is routed as one value, crosses a link as one, and each receiver gets a
    stanza of its own where it is delivered."""

    stanza: Stanza
    """What all get: it has no `to`, nor have its bytes, which begin with `opening`."""
    receivers: list[Jid]

    @property
    def trace_id(self) -> str:
        """That of the stanza."""
        return self.stanza.trace_id

    @property
    def first(self) -> Stanza:
        """The copy of the first receiver, from which the others differ in nothing but their address."""
        return addressed(self.stanza, self.receivers[0])

    def each(self) -> Iterator[Stanza]:
        """The copies, in the order of the receivers; all parts but the address and the bytes are shared."""
        stanza = self.stanza
        kind, from_, id, type, payloads, trace_id = (
            stanza.kind, stanza.from_, stanza.id, stanza.type, stanza.payloads, stanza.trace_id,
        )  # fmt: skip
        assert from_ is not None
        begin = opening(kind, from_)
        rest = stanza.raw[len(begin) :]
        for to in self.receivers:
            yield Stanza(kind, to, from_, id, type, payloads, b"".join((begin, to_attribute(to), rest)), trace_id)

    def by_domain(self) -> Iterable[tuple[str, Copies]]:
        """The copies for each domainpart, in the order of its first receiver."""
        parts: dict[str, list[Jid]] = {}
        for to in self.receivers:
            parts.setdefault(to.domainpart, []).append(to)
        return [(domainpart, Copies(self.stanza, receivers)) for domainpart, receivers in parts.items()]


def each_of(item: Stanza | Copies) -> Iterable[Stanza]:
    """The stanzas that receivers get of it."""
    return item.each() if isinstance(item, Copies) else (item,)
