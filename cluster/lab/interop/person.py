"""A client of the lab that sends stanzas and waits for the expected ones."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha1
from secrets import token_hex
from types import TracebackType
from typing import Literal, Self

from cluster.client.blocking import BlockingClient
from cluster.lab.clients.login import log_in
from cluster.lab.folder import LabFolder
from cluster.lab.interop.exchange import Exchange
from cluster.topology.plan import Plan
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.quoting import escape, quoteattr
from cluster.xmpp.streams.login import StreamFailed

PATIENCE_S = 8.0
"""Time limit for an expected stanza; servers of other kinds take a second to open a stream."""
SEND_TIMEOUT_S = 20.0
"""For a server that does not read."""
PASSWORD = "secret"
TUNE = "http://jabber.org/protocol/tune"
_WANTED = (INFO, f"{TUNE}+notify")
FEATURES = "<identity category='client' type='bot'/>" + "".join(f"<feature var='{each}'/>" for each in _WANTED)
"""Of each client: it wants to hear what its contacts listen to (XEP-0163 section 4.3, XEP-0118)."""
CAPS = (
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:xmpplab:interop' ver="
    + quoteattr(b64encode(sha1("<".join(["client/bot//", *_WANTED, ""]).encode()).digest()).decode())
    + "/>"
)
"""The same in its presence (XEP-0115 section 5.1)."""


Side = Literal["here", "there", "unknown"]
"""Whose server breaks a rule: that of the client that begins, the other one; or nobody can tell from outside."""


PASSING = "<no-store xmlns='urn:xmpp:hints'/>"
"""In a message that no archive is to keep (XEP-0334): where the stream is measured, an archive is not."""


class Broken(Exception):
    """What was expected did not come: the message tells what, and what came in its place."""

    def __init__(self, text: str, side: Side = "unknown", rule: str = "") -> None:
        """`rule`: the section that this side breaks, where it is not that of the scenario."""
        super().__init__(text)
        self.side: Side = side
        self.rule = rule


class Gone(Broken):
    """The connection of a client is over."""


class Person:
    """One account with one client. As a context manager it logs in and out."""

    def __init__(self, folder: LabFolder, plan: Plan, account: str, exchange: Exchange) -> None:
        """`exchange` gets all that the client sends and receives."""
        self.jid = Jid.parse(account)
        self.full = self.jid.with_resource(f"interop-{token_hex(4)}")
        self._folder, self._plan, self._exchange = folder, plan, exchange
        self._client: BlockingClient | None = None
        self._kept: list[Element] = []

    def __enter__(self) -> Self:
        self._client = log_in(self._folder, self._plan, self.full, PASSWORD)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._client is not None:
            self._client.close()

    def say(self, stanza: str) -> None:
        """Send it as it is."""
        assert self._client is not None
        self._exchange.note(self.full, "sent", stanza)
        try:
            self._client.send(stanza.encode(), SEND_TIMEOUT_S)
        except OSError as error:
            raise Gone(f"the connection of {self.jid} broke: {error}") from None

    def presence(self, **attributes: str) -> None:
        """Send presence; without attributes it is available, and says what the client wants to hear of."""
        self.say(f"<presence{_attributes(attributes)}>{'' if attributes else CAPS}</presence>")

    def message(self, to: object, body: str, extra: str = "") -> str:
        """Send a chat message; returns its id. `extra`: further elements."""
        id = token_hex(6)
        attributes = _attributes({"to": str(to), "id": id, "type": "chat"})
        self.say(f"<message{attributes}><body>{escape(body)}</body>{extra}</message>")
        return id

    def ask(self, to: object, payload: str, type: str = "get") -> Element:
        """Send an iq, and return its answer. Raises Broken for an error."""
        id = token_hex(6)
        attributes = {"id": id, "type": type, **({"to": str(to)} if to else {})}
        self.say(f"<iq{_attributes(attributes)}>{payload}</iq>")
        answer = self.see(f"an answer from {to or 'its server'}", lambda each: is_(each, "iq") and each.get("id") == id)
        if answer.get("type") != "result":
            raise Broken(f"{to or 'its server'} answered an error: {condition(answer)}")
        return answer

    def see(self, what: str, fits: Callable[[Element], bool], patience_s: float = PATIENCE_S) -> Element:
        """The first stanza that fits, received before or yet to come. Raises Broken."""
        for each in self._kept:
            if fits(each):
                self._kept.remove(each)
                return each
        deadline_s = time.monotonic() + patience_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            found = self._receive(left_s)
            if found is None:
                break
            if fits(found):
                return found
            self._kept.append(found)
        last = f"; the last that came: {_shown(self._kept[-1])}" if self._kept else ""
        raise Broken(f"{self.jid} got no {what} within {patience_s:g} s{last}")

    def drained(self, quiet_s: float) -> list[Element]:
        """All stanzas that came, once none has come for `quiet_s`."""
        while (found := self._receive(quiet_s)) is not None:
            self._kept.append(found)
        kept, self._kept = self._kept, []
        return kept

    def _receive(self, patience_s: float) -> Element | None:
        assert self._client is not None
        try:
            child = self._client.receive(patience_s)
        except TimeoutError:
            return None
        except (OSError, StreamFailed) as error:
            raise Gone(f"the connection of {self.jid} is over: {error}") from None
        if child is None:
            raise Gone(f"the server of {self.jid} ended its stream")
        self._exchange.note(self.full, "received", child.raw.decode())
        element = xml.parse(child.raw)
        if is_(element, "iq") and element.get("type") == "get":  # a ping of the server (XEP-0199), or caps (XEP-0115)
            answers = {"id": element.get("id", ""), "to": element.get("from", "")}
            query = element.find(f"{{{INFO}}}query")
            node = "" if query is None else _attributes({"node": query.get("node", "")})
            payload = "" if query is None else f"<query xmlns='{INFO}'{node}>{FEATURES}</query>"
            self.say(f"<iq type='result'{_attributes(answers)}>{payload}</iq>")
        return element


@contextmanager
def blamed(side: Side, rule: str) -> Iterator[None]:
    """What is broken in the block, `side` breaks: this section."""
    try:
        yield
    except Broken as broken:
        if broken.side == "unknown":
            raise Broken(str(broken), side, rule) from None
        raise


def is_(element: Element, name: str) -> bool:
    """A stanza of this kind."""
    return element.tag == f"{{{CLIENT}}}{name}"


def body(element: Element) -> str | None:
    """The text of a message."""
    return element.findtext(f"{{{CLIENT}}}body")


def comes_from(element: Element, who: object) -> bool:
    """Whether it is from this address, or from a resource of it."""
    sender = element.get("from", "")
    return sender == str(who) or sender.partition("/")[0] == str(who)


def condition(element: Element) -> str:
    """The condition of an error stanza."""
    error = element.find(f"{{{CLIENT}}}error")
    found = [] if error is None else [each.tag.rpartition("}")[2] for each in error]
    return next((each for each in found if each != "text"), "")


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value)


def _shown(element: Element) -> str:
    text = f"{element.tag.rpartition('}')[2]} {element.get('type', '')} from {element.get('from', 'its server')}"
    return f"{text}, {found}" if (found := condition(element)) else text
