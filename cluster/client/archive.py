"""Reads an account's message archive (XEP-0313), without taking anything from its other clients."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from cluster.client.archived import ArchivedMessage
from cluster.client.blocking import BlockingClient
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions.mam import MAX_PAGE
from cluster.xmpp.extensions.probe import is_of_prober
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import CLIENT, DELAY, FORWARD, MAM
from cluster.xmpp.stanza import Stanza, error_of, make
from cluster.xmpp.streams.login import StreamFailed

MAX_SEARCHED = 2_000
"""Messages of an archive that a search reads, the newest ones."""
PATIENCE_S = 20.0
"""Time limit for the next stanza of a page."""


class _Page(NamedTuple):
    messages: list[ArchivedMessage]
    first: str
    is_first: bool
    """No message is before it."""


def received(client: BlockingClient, count: int) -> list[ArchivedMessage]:
    """The newest `count` messages that others sent to the account, oldest first; no probes of `xmpplab trace`.

    Raises StreamFailed if the server refuses or ends the stream, TimeoutError if it does not answer in time.
    """
    account, found, before = client.jid.bare, list[ArchivedMessage](), ""
    while len(found) < count:
        page = _page(client, account, before)
        found[:0] = [message for message in page.messages if _sender(message) != account]
        if page.is_first:
            break
        before = page.first
    return found[-count:] if count else []


def search(client: BlockingClient, text: str, count: int) -> list[ArchivedMessage]:
    """The newest `count` messages of the account, from it or to it, that have this text in an address, the subject or
    the body, oldest first; of the newest MAX_SEARCHED. Upper and lower case are one.

    Raises as `received`.
    """
    found, seen, before, wanted = list[ArchivedMessage](), 0, "", text.casefold()
    while len(found) < count and seen < MAX_SEARCHED:
        page = _page(client, client.jid.bare, before)
        found[:0] = [message for message in page.messages if wanted in _searched(message)]
        seen += MAX_PAGE
        if page.is_first:
            break
        before = page.first
    return found[-count:] if count else []


def _searched(message: ArchivedMessage) -> str:
    return f"{message.from_}\n{message.to}\n{message.subject}\n{message.body}".casefold()


def _sender(message: ArchivedMessage) -> Jid | None:
    try:
        return Jid.parse(message.from_).bare
    except JidError:
        return None


def _page(client: BlockingClient, account: Jid, before: str) -> _Page:
    """The page before the message of this id, or the last page if `before` is empty (XEP-0059 sections 2.3 and 2.5)."""
    query = Element(f"{{{MAM}}}query", queryid=secrets.token_hex(8))
    limits = SubElement(query, f"{{{RSM}}}set")
    SubElement(limits, f"{{{RSM}}}max").text = str(MAX_PAGE)
    SubElement(limits, f"{{{RSM}}}before").text = before
    request = make("iq", id=query.attrib["queryid"], type="set", payload=[query])
    client.send(request.raw, PATIENCE_S)
    messages: list[ArchivedMessage] = []
    while (child := client.receive(PATIENCE_S)) is not None:
        tree = xml.parse(child.raw)
        result = tree.find(f"{{{MAM}}}result")
        if child.name == f"{CLIENT} iq" and child.attributes.get("id") == request.id:
            return _end(child.raw, tree, messages)
        is_own = child.attributes.get("from", str(account)) == str(account)  # others may not speak for it (section 9)
        if is_own and result is not None and result.get("queryid") == request.id:
            forwarded = result.find(f"{{{FORWARD}}}forwarded")
            message = None if forwarded is None else forwarded.find(f"{{{CLIENT}}}message")
            if forwarded is not None and message is not None and not is_of_prober(message):
                messages.append(_message(result.get("id", ""), forwarded.find(f"{{{DELAY}}}delay"), message))
    raise StreamFailed("archive", "closed", "the server ended the stream before the page was complete")


def _end(raw: bytes, tree: Element, messages: list[ArchivedMessage]) -> _Page:
    fin = tree.find(f"{{{MAM}}}fin")
    if fin is None:
        error = error_of(Stanza("iq", None, None, None, "error", (), raw))
        raise StreamFailed("archive", error.condition, error.text)
    first = fin.findtext(f"{{{RSM}}}set/{{{RSM}}}first", "")
    return _Page(messages, first, fin.get("complete") == "true" or not first)


def _message(id: str, delay: Element | None, message: Element) -> ArchivedMessage:
    subject, body = (xml.text_of(message, f"{{{CLIENT}}}{name}") or "" for name in ("subject", "body"))
    return ArchivedMessage(
        id=id,
        at_utc="" if delay is None else delay.get("stamp", ""),
        from_=message.get("from", ""),
        to=message.get("to", ""),
        type=message.get("type", "normal"),
        subject=subject,
        body=body,
    )
