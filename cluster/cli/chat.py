"""`xmpplab chat`: an instant messaging client for one account, in the terminal."""

from __future__ import annotations

import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, Password
from cluster.cli.completion import accounts, addresses
from cluster.cli.interrupt import interruptible
from cluster.lab.api import Lab, LabError

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

    from cluster.cli.conversation import Conversation
    from cluster.client.managed import ManagedClient
    from cluster.client.messenger import Messenger

LOOK_EVERY_S = 0.05
"""How often to look for typed lines while no stanza arrives."""
GOODBYE_S = 5.0
"""Time limit for the roster at the start, and for sending the last typed lines at the end."""


def chat(
    who: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Account, such as romeo.", autocompletion=accounts)],
    to: Annotated[
        str | None, typer.Argument(metavar="TO", help="Contact to write to at first.", autocompletion=addresses)
    ] = None,
    password: Password = None,
    lab: LabName = None,
) -> None:
    """Chat as an account of the lab. `/help` lists the commands: roster, presence, messages, block list.

    Lines may also come from a pipe: each is treated as if it were typed, and the end of input ends the chat.
    """
    from cluster.cli.conversation import Conversation

    used = Lab.named(lab)
    peer = used.address(to) if to else None
    messenger, client = used.account(who, password).chat()
    conversation = Conversation(messenger, used.address, peer, lambda: datetime.now().astimezone())
    _show(f"you are {messenger.account}; /help lists the commands, Ctrl-D ends")
    try:
        with interruptible(), _typed(conversation) as lines:
            _use(client, messenger, conversation, lines)
    except KeyboardInterrupt:
        pass  # Ctrl-C leaves at once
    finally:
        client.close()


def _use(
    client: ManagedClient, messenger: Messenger, conversation: Conversation, lines: queue.SimpleQueue[str | None]
) -> None:
    """Run until the user leaves and the server has everything that was typed. Raises LabError if the server does not
    confirm."""
    was_connected, ready_by_s, deadline_s = True, time.monotonic() + GOODBYE_S, math.inf
    while not messenger.is_finished and time.monotonic() < deadline_s:
        if (child := client.receive(LOOK_EVERY_S)) is not None:
            for event in messenger.take(child):
                _show(conversation.show(event))
        if client.is_connected != was_connected:
            was_connected = client.is_connected
            _show("* connected again" if was_connected else "* the connection broke; connecting again")
        is_ready = messenger.is_ready or time.monotonic() > ready_by_s  # names are those of the roster
        while is_ready and deadline_s == math.inf and not lines.empty():
            if (line := lines.get()) is None:
                deadline_s = time.monotonic() + GOODBYE_S
                messenger.finish()
                break
            for text in conversation.type(line):
                _show(text)
    if not messenger.is_finished:
        raise LabError("the server did not acknowledge every message; the last ones may be lost (`xmpplab ps`)")


def _show(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _typed(conversation: Conversation) -> Iterator[queue.SimpleQueue[str | None]]:
    """The lines that the user types, in order, and None at the end; a thread reads them."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        typed = open(0, errors="replace", closefd=False)  # noqa: SIM115  # sys.stdin would be locked at our end
        threading.Thread(target=_read, args=(typed.readline, lines), daemon=True).start()
        yield lines
        return
    from prompt_toolkit import PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    session: PromptSession[str] = PromptSession(
        completer=_completer(conversation), complete_while_typing=False, erase_when_done=True
    )

    def prompt() -> str:
        try:
            return session.prompt(lambda: f"{conversation.peer or 'nobody'}> ", handle_sigint=False) + "\n"
        except (EOFError, KeyboardInterrupt):
            return ""

    with patch_stdout():
        reader = threading.Thread(target=_read, args=(prompt, lines), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            if session.app.is_running and session.app.loop is not None:  # the loop ended before the input did
                session.app.loop.call_soon_threadsafe(partial(session.app.exit, exception=EOFError))
            reader.join()


def _read(readline: Callable[[], str], lines: queue.SimpleQueue[str | None]) -> None:
    from cluster.cli.conversation import QUIT

    try:
        while (line := readline()) and line.strip() != QUIT:
            lines.put(line.rstrip("\n"))
    finally:
        lines.put(None)


def _completer(conversation: Conversation) -> Completer:
    from prompt_toolkit.completion import WordCompleter

    from cluster.cli.conversation import COMMANDS

    return WordCompleter(lambda: [*COMMANDS, *conversation.words()], WORD=True)
