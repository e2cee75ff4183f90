"""Message Archive Management (XEP-0313): queries and their answers, with paging by XEP-0059."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form, rsm
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.extensions.forward import forwarded
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import MAM
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza, opening

VALIDATE = "http://jabber.org/protocol/xdata-validate"
MAX_PAGE = 100
"""Messages of one page, also if the client sets no limit or a higher one (section 4.3.1)."""

_FIELDS = {
    "with": "jid-single", "start": "text-single", "end": "text-single", "before-id": "text-single",
    "after-id": "text-single", "ids": "list-multi", "include-groupchat": "boolean",
}  # fmt: skip
"""Of the query's form, with their types (section 4.1); the archives have no groupchat messages."""


class Query(msgspec.Struct, frozen=True):
    """The filter of a query (the form, section 4.1), and the requested page (the result set, section 4.3)."""

    with_: Jid | None = None
    start_utc_s: float | None = None
    end_utc_s: float | None = None
    after_id: str | None = None
    before_id: str | None = None
    ids: frozenset[str] | None = None
    max: int = MAX_PAGE
    page_after: str | None = None
    page_before: str | None = None
    """Page backwards from this id; from the end of the archive if it is empty."""
    flip: bool = False
    """The last message of the page comes first (section 4.3.5)."""
    queryid: str | None = None

    def matches(self, owner: Jid, came_utc_s: float, from_: Jid, to: Jid) -> bool:
        """Whether this message of the owner's archive passes the form, apart from ids."""
        return (
            (self.start_utc_s is None or came_utc_s >= self.start_utc_s)
            and (self.end_utc_s is None or came_utc_s <= self.end_utc_s)
            and (self.with_ is None or _is_with(self.with_, owner, from_, to))
        )


def _is_with(with_: Jid, owner: Jid, from_: Jid, to: Jid) -> bool:
    """Section 4.1.1."""
    if with_ == owner:  # otherwise all would match
        return from_.bare == owner and to.bare == owner
    return with_ in ((from_.bare, to.bare) if with_.is_bare else (from_, to))


def read_query(query: Element) -> Query:
    """Parse a `<query>`. Raises StanzaError."""
    values = _read_form(query)
    page = rsm.read(query, MAX_PAGE) or rsm.PageRequest(MAX_PAGE)
    try:
        return Query(
            with_=Jid.parse(values["with"][0]) if "with" in values else None,
            start_utc_s=timestamp.parse(values["start"][0]) if "start" in values else None,
            end_utc_s=timestamp.parse(values["end"][0]) if "end" in values else None,
            after_id=values["after-id"][0] if "after-id" in values else None,
            before_id=values["before-id"][0] if "before-id" in values else None,
            ids=frozenset(values["ids"]) if "ids" in values else None,
            flip=query.find(f"{{{MAM}}}flip-page") is not None,
            queryid=query.get("queryid"),
            max=page.max,
            page_after=page.after,
            page_before=page.before,
        )
    except (JidError, ValueError) as error:
        raise StanzaError(Condition.BAD_REQUEST, str(error)) from None


def _read_form(query: Element) -> Mapping[str, list[str]]:
    form = query.find(f"{{{DATA}}}x")
    values = {} if form is None else dict(data_form.values(form))
    if form is not None and values.pop("FORM_TYPE", None) != [MAM]:
        raise StanzaError(Condition.BAD_REQUEST, f"the form's FORM_TYPE is {MAM}")
    if unknown := values.keys() - _FIELDS.keys():
        raise StanzaError(Condition.FEATURE_NOT_IMPLEMENTED, f"no field {', '.join(sorted(unknown))} is known here")
    return {name: value for name, value in values.items() if value}


def form() -> Element:
    """The fields of a query (section 4.1.5)."""
    form = data_form.new("form", MAM)
    for name, kind in _FIELDS.items():
        field = data_form.add(form, name, kind)
        if kind == "list-multi":
            validate = SubElement(field, f"{{{VALIDATE}}}validate", datatype="xs:string")
            SubElement(validate, f"{{{VALIDATE}}}open")
    return form


def result(owner: Jid, to: Jid, queryid: str | None, id: str, came_utc_s: float, stanza: Stanza) -> Stanza:
    """One message of the archive, for the client that asked (section 4.2)."""
    query = f" queryid={quoteattr(queryid)}" if queryid is not None else ""
    begin = f" to={quoteattr(str(to))}><result xmlns='{MAM}'{query} id={quoteattr(id)}>".encode()
    raw = opening("message", owner) + begin + forwarded(stanza, came_utc_s) + b"</result></message>"
    return Stanza("message", to, owner, None, None, (f"{MAM} result",), raw)


def fin(ids: list[str], first_index: int, count: int, is_complete: bool) -> Element:
    """The end of a page (section 4.3.2): the ids on it, oldest first; its first index, and the number of matches."""
    fin = Element(f"{{{MAM}}}fin", {"complete": "true"} if is_complete else {})
    fin.append(rsm.tell(ids, first_index, count))
    return fin
