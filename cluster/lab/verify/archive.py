"""The messages of a run in the archive of an account (XEP-0313), read as any client reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from cluster.lab.errors import LabError
from cluster.lab.verify.content import difference_of, known_by
from cluster.lab.verify.records import Arrival, FlowRecord, Leg
from cluster.lab.verify.traffic import Client
from cluster.lab.verify.witness import Book, forwarded, text_difference
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.extensions import mam
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, MAM
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza

PATIENCE_S = 20.0


def read_archive(
    client: Client,
    account: Jid,
    book: Book,
    legs: dict[FlowRecord, Leg],
    since_utc_s: float,
    seconds: Callable[[], float],
    now_s: float,
) -> None:
    """Record at their legs the messages of these flows in the archive of the client's account, in its order.

    `seconds`: a steady clock. Raises LabError.
    """
    givers = {str(account), account.domainpart}
    for message in archived(client, account, since_utc_s, seconds):
        raw = xml.serialize(message)
        known = book.find(message.get("id", ""), raw)
        leg = legs.get(known[0].record) if known is not None else None
        if known is None or leg is None:
            continue  # an earlier run's, or another flow's of the account
        flight, sequence = known
        expected = flight.content.expected(sequence, flight.sender)
        is_text = flight.sender.is_bare
        found = text_difference(message, expected) if is_text else difference_of(message, expected, givers)
        leg.arrive(Arrival(sequence, known_by(raw, message.get("id", ""), flight.sender), now_s, found))


def archived(client: Client, account: Jid, since_utc_s: float, seconds: Callable[[], float]) -> Iterator[Element]:
    """The messages of the archive since then, oldest first. Raises LabError."""
    after: str | None = None
    for number in count():
        request = f"archive-{number}"
        client.send([_query(request, since_utc_s, after)])
        while True:
            child = _next(client, account, seconds)
            if child.name == f"{CLIENT} iq" and child.attributes.get("id") == request:
                break
            if child.payloads == (f"{MAM} result",):
                result = xml.parse(child.raw)[0]
                after = result.get("id")
                message = forwarded(result)
                if message is not None:
                    yield message
        fin = xml.parse(child.raw).find(f"{{{MAM}}}fin")
        if child.attributes.get("type") != "result" or fin is None:
            raise LabError(f"the archive of {account} cannot be read: {child.raw.decode(errors='replace')}")
        if fin.get("complete") == "true":
            return


def _next(client: Client, account: Jid, seconds: Callable[[], float]) -> Slice:
    deadline_s = seconds() + PATIENCE_S
    while (child := client.receive(PATIENCE_S)) is None:
        if seconds() >= deadline_s:
            raise LabError(f"the archive of {account} was not read: no answer for {PATIENCE_S:g} s; see `xmpplab logs`")
    return child


def _query(id: str, since_utc_s: float, after: str | None) -> Stanza:
    page = f"<after>{after}</after>" if after else ""
    raw = (
        f"<iq type='set' id='{id}'><query xmlns='{MAM}'><x xmlns='{DATA}' type='submit'>"
        f"<field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>"
        f"<field var='start'><value>{timestamp.to_text(since_utc_s)}</value></field></x>"
        f"<set xmlns='{RSM}'><max>{mam.MAX_PAGE}</max>{page}</set></query></iq>"
    ).encode()
    return Stanza("iq", None, None, id, "set", (f"{MAM} query",), raw)
