"""The requests of the page, and the commands that do the same."""

from __future__ import annotations

import json
import shlex
from typing import Any

import msgspec
import pytest
import typer

from cluster.cli.app import app
from cluster.web.requests import command_of, read


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        ({"do": "look", "node": "s1"}, "ps"),
        ({"do": "act", "node": "s1", "action": "kill", "for": "3s"}, "kill s1 --for 3s"),
        ({"do": "act", "node": "s1", "action": "pause"}, "pause s1"),
        ({"do": "scale", "server": "s1", "nodes": 3}, "scale s1=3"),
        ({"do": "log", "tail": 20}, "logs --tail 20"),
        ({"do": "overview"}, "ps"),
        ({"do": "roster", "who": "a@b.lit"}, "user roster a@b.lit"),
        ({"do": "roster_add", "who": "a@b.lit", "contact": "c@d.lit"}, "user roster a@b.lit --add c@d.lit"),
        ({"do": "roster_remove", "who": "a@b.lit", "contact": "c@d.lit"}, "user roster a@b.lit --remove c@d.lit"),
        ({"do": "search", "text": "fair sun", "who": "a@b.lit"}, "search 'fair sun' --of a@b.lit"),
        ({"do": "log", "node": "s1", "tail": 20}, "logs s1 --tail 20"),
        (
            {"do": "fault_set", "from": "s1", "to": "s2", "faults": {"delay": "40ms"}, "both": True},
            "fault set s1 s2 --delay 40ms --both",
        ),
        ({"do": "fault_clear"}, "fault clear"),
        ({"do": "fault_clear", "from": "s1", "to": "s2"}, "fault clear s1 s2"),
        ({"do": "network_ls"}, "network ls"),
        ({"do": "network_set", "network": "fn1", "down": True, "delay": "2s"}, "network set fn1 --down --delay 2s"),
        ({"do": "network_clear", "network": "fn1"}, "network clear fn1"),
        ({"do": "why", "id": "0ef7"}, "why 0ef7"),
        ({"do": "why", "from": "a@b.lit", "to": "c@d.lit"}, "why --from a@b.lit --to c@d.lit"),
        ({"do": "people"}, "user ls"),
        ({"do": "user_add", "jid": "paris@capulet.lit", "password": "secret"}, "user add paris@capulet.lit"),
        ({"do": "user_passwd", "jid": "paris@capulet.lit", "password": "secret"}, "user passwd paris@capulet.lit"),
        ({"do": "sessions", "who": "montague.lit"}, "user sessions montague.lit"),
        ({"do": "session_end", "jid": "romeo@montague.lit/pda"}, "user disconnect romeo@montague.lit/pda"),
        ({"do": "user_del", "jid": "paris@capulet.lit"}, "user del paris@capulet.lit"),
        ({"do": "chat_open", "who": "romeo@montague.lit", "password": "secret"}, "chat romeo@montague.lit"),
    ],
)
def test_the_command_that_does_the_same(request_: dict[str, Any], command: str) -> None:
    told = command_of(read(json.dumps(request_)), "verona")
    assert told == f"xmpplab {command} --lab verona"
    whole: Any = typer.main.get_command(app)
    words = shlex.split(told)[1:]
    while hasattr(whole, "commands"):  # the command line accepts it
        whole = whole.commands[words.pop(0)]
    if "password" in request_ and request_["do"] != "chat_open":
        words += ["--password", "secret"]  # it is asked for: no command has it for all to see
    whole.make_context("xmpplab", words)


def test_a_command_can_be_pasted() -> None:
    request = {"do": "act", "node": "s1; rm -rf ~", "action": "kill"}
    assert command_of(read(json.dumps(request)), "verona") == "xmpplab kill 's1; rm -rf ~' --lab verona"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "nothing"},
        {"do": "act", "node": "s1", "action": "explode"},
        {"do": "act", "node": "s1", "action": "kill", "else": 1},
        {"do": "log", "node": "s1", "tail": 1_000_000},
        {"do": "fault_set", "from": "s1", "to": "s2", "faults": {}},
        {"do": "chat_say", "pane": 1, "to": "x@y", "text": "x" * 100_000},
        {"do": "look", "node": "x" * 5_000},
        {"do": "user_add", "jid": "paris@capulet.lit", "password": ""},
    ],
)
def test_what_is_no_request(request_: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(json.dumps(request_))
