"""Requests about chat panes."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from cluster.web.requests.ask import Ask, Name, Page

MAX_TEXT_CHARACTERS = 65_536
"""Of a message, or of a stanza that is typed by hand."""

Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)]


class ChatOpen(Ask, frozen=True, tag="chat_open"):
    """Log in as an account, or use a phone or mailbox; the answer is the pane."""

    who: Name
    password: Annotated[str, Meta(max_length=1_024)] = ""
    """Empty: that of the topology."""

    def run(self, page: Page) -> Any:
        return page.chats.open(self.who, self.password)

    def words(self) -> tuple[str, ...]:
        return ("chat", self.who)


class ChatLs(Ask, frozen=True, tag="chat_ls"):
    """The open panes, with what was said in them."""

    def run(self, page: Page) -> Any:
        return page.chats.ls()


class ChatSay(Ask, frozen=True, tag="chat_say"):
    """Write a message from a pane."""

    pane: int
    to: Name
    text: Text

    def run(self, page: Page) -> Any:
        page.chats.say(self.pane, self.to, self.text)


class ChatXml(Ask, frozen=True, tag="chat_xml"):
    """Send a stanza as it was typed."""

    pane: int
    xml: Text

    def run(self, page: Page) -> Any:
        page.chats.send_xml(self.pane, self.xml)


class ChatClose(Ask, frozen=True, tag="chat_close"):
    """Log out, and forget the pane."""

    pane: int

    def run(self, page: Page) -> Any:
        page.chats.close(self.pane)
