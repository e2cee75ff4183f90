"""What is typed in a chat, and what is shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cluster.cli.conversation import COMMANDS, HELP, QUIT, Conversation
from cluster.client.messenger import Contact, Event, Messenger
from cluster.lab.errors import BadInput
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

ROMEO, JULIET = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Chat:
    def __init__(self) -> None:
        self.sent: list[Stanza] = []
        self.messenger = Messenger(ROMEO, self.sent.append)
        self.messenger.roster[JULIET] = Contact(JULIET, "My sun", "both")
        self.conversation = Conversation(self.messenger, self._find, None, lambda: NOON)

    def _find(self, name: str) -> Jid:
        if "@" not in name:
            raise BadInput(f"no account, phone or mailbox {name!r} in this lab")
        return Jid.parse(name)

    def type(self, line: str) -> list[str]:
        return list(self.conversation.type(line))


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.mark.parametrize("name", ["juliet", "my sun", "MY SUN", "juliet@capulet.lit"])
def test_a_contact_goes_by_its_name(chat: Chat, name: str) -> None:
    assert chat.type(f"/to {name}") == []
    assert chat.type("But, soft!") == ["12:00:00  you: But, soft!"]
    assert (chat.sent[-1].to, chat.sent[-1].kind) == (JULIET, "message")


def test_who_writes_first_is_answered(chat: Chat) -> None:
    assert chat.type("hello") == ["no recipient; choose one with `/to juliet` (/help lists the commands)"]
    assert chat.conversation.show(Event("message", JULIET.with_resource("b"), "Ay me")) == f"12:00:00  {JULIET}: Ay me"
    chat.conversation.show(Event("message", Jid.parse("nurse@capulet.lit/x"), "Madam!"))
    chat.type("//me blushes")
    assert chat.sent[-1].to == JULIET
    assert b"<body>/me blushes</body>" in chat.sent[-1].raw


def test_what_others_write_does_nothing_to_the_terminal(chat: Chat) -> None:
    shown = chat.conversation.show(Event("message", JULIET, "a\x1b[2J\n12:00:00  nurse: b", 0.0))
    assert shown == "1970-01-01 00:00:00  juliet@capulet.lit: a\\x1b[2J\n          12:00:00  nurse: b"
    for what in ("presence", "bounced", "refused", "subscription"):
        assert "\x1b" not in chat.conversation.show(Event(what, JULIET, "\x1b[2J"))
    chat.messenger.roster[JULIET].name = "\x1b[2J\nyou"
    chat.messenger.roster[JULIET].there["\x9b"] = "is here"
    assert chat.type("/roster") == ["juliet@capulet.lit (\\x1b[2J\\nyou): \\x9b is here"]


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("/add tybalt@capulet.lit", ["iq", "presence"]),
        ("/accept juliet", ["presence"]),
        ("/deny juliet", ["presence"]),
        ("/remove juliet", ["iq"]),
        ("/block juliet", ["iq"]),
        ("/unblock juliet", ["iq"]),
        ("/away at the friar's", ["presence"]),
        ("/dnd", ["presence"]),
        ("/online", ["presence"]),
        ("/msg juliet But, soft!", ["message"]),
        ("/block", []),
        ("/accept", []),
        ("/to", []),
        ("/msg juliet", []),
        ("/dance", []),
        ("/to nobody", []),
        ("a\x00b", []),
        ("/away \x1b", []),
        ("  ", []),
    ],
)
def test_commands(chat: Chat, line: str, kinds: list[str]) -> None:
    shown = chat.type(line)
    assert [stanza.kind for stanza in chat.sent] == kinds
    if not kinds and line.strip():
        assert len(shown) == 1  # it says why, or shows what was asked for


def test_a_request_is_answered_without_its_name(chat: Chat) -> None:
    chat.messenger.requests = {Jid.parse("tybalt@capulet.lit"): None, JULIET: None}
    assert chat.type("/deny") == ["tybalt@capulet.lit may not see your presence"]
    assert chat.type("/accept") == ["juliet@capulet.lit may see your presence"]


def test_help_has_every_command(chat: Chat) -> None:
    assert chat.type("/help") == [HELP]
    assert all(command in HELP for command in (*COMMANDS, QUIT))
