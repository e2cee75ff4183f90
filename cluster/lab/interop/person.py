"""A client of the lab that says something and waits for what must come of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from secrets import token_hex
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape, quoteattr

from cluster.client.blocking import BlockingClient
from cluster.lab.clients.login import log_in
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT

PATIENCE_S = 8.0
"""For what must come; servers of other kinds take a second to open a stream."""
PASSWORD = "secret"


class Broken(Exception):
    """What was expected did not come: the message tells what, and what came in its place."""


class Person:
    """One account with one client. As a context manager it logs in and out."""

    def __init__(self, folder: LabFolder, plan: Plan, account: str) -> None:
        self.jid = Jid.parse(account)
        self.full = self.jid.with_resource(f"interop-{token_hex(4)}")
        self._folder, self._plan = folder, plan
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
        self._client.send(stanza.encode())

    def presence(self, **attributes: str) -> None:
        """Available without attributes."""
        self.say(f"<presence{_attributes(attributes)}/>")

    def message(self, to: object, body: str) -> str:
        """A chat message; its id."""
        id = token_hex(6)
        self.say(
            f"<message{_attributes({'to': str(to), 'id': id, 'type': 'chat'})}><body>{escape(body)}</body></message>"
        )
        return id

    def ask(self, to: object, payload: str, type: str = "get") -> Element:
        """The answer to an iq; an error is Broken."""
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
        """All that came, once nothing comes for so long."""
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
        except OSError as error:
            raise Broken(f"the connection of {self.jid} broke: {error}") from None
        if child is None:
            raise Broken(f"the server of {self.jid} ended its stream")
        element = xml.parse(child.raw)
        if is_(element, "iq") and element.get("type") == "get":  # a server that asks whether we are there
            self.say(f"<iq type='result'{_attributes({'id': element.get('id', ''), 'to': element.get('from', '')})}/>")
        return element


def is_(element: Element, name: str) -> bool:
    """A stanza of this kind."""
    return element.tag == f"{{{CLIENT}}}{name}"


def body(element: Element) -> str | None:
    """The text of a message."""
    return element.findtext(f"{{{CLIENT}}}body")


def comes_from(element: Element, who: object) -> bool:
    """By its bare address, unless `who` is a full one."""
    sender = element.get("from", "")
    return sender == str(who) or sender.partition("/")[0] == str(who)


def condition(element: Element) -> str:
    """Of an error stanza."""
    error = element.find(f"{{{CLIENT}}}error")
    found = [] if error is None else [each.tag.rpartition("}")[2] for each in error]
    return next((each for each in found if each != "text"), "")


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value)


def _shown(element: Element) -> str:
    text = f"{element.tag.rpartition('}')[2]} {element.get('type', '')} from {element.get('from', 'its server')}"
    return f"{text}, {found}" if (found := condition(element)) else text
