"""A dictionary bot: send it a word, and its meaning comes back. Works from any domain, and from a phone.

    python examples/dictbot.py benvolio@shakespeare.lit secret 127.19.139.3 5222 .xmpplab/verona/ca.pem

The address and the CA's file are those that `xmpplab ps` prints.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import slixmpp

WORDS = Path(__file__).with_name("words.txt")


def read_words(path: Path) -> dict[str, str]:
    """The meanings by word; one `word: meaning` in each line."""
    pairs = (line.partition(":") for line in path.read_text().splitlines() if line)
    return {word.strip(): meaning.strip() for word, _, meaning in pairs}


class DictBot(slixmpp.ClientXMPP):
    """Answers each message with the meaning of the word in it."""

    def __init__(self, jid: str, password: str, ca_file: str, words: dict[str, str]) -> None:
        super().__init__(jid, password)
        self.ca_certs = Path(ca_file)
        self.enable_direct_tls = False
        self._words = words
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("message", self.answer)

    async def start(self, _: Any) -> None:
        """Be available."""
        await self.get_roster()
        self.send_presence(pstatus="send me a word")
        print(f"{self.boundjid} is ready", flush=True)

    def answer(self, message: Any) -> None:
        """Tell the meaning; never answer an error, or two bots would talk for ever."""
        word = message["body"].strip().lower()
        if message["type"] in ("chat", "normal") and word:
            meaning = self._words.get(word, f"not in my book; I know {', '.join(sorted(self._words))}")
            message.reply(f"{word}: {meaning}").send()


async def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("jid", "password", "host", "port", "ca_file"):
        parser.add_argument(name)
    given = parser.parse_args()
    bot = DictBot(given.jid, given.password, given.ca_file, read_words(WORDS))
    bot.connect(given.host, int(given.port))
    await bot.disconnected


if __name__ == "__main__":
    asyncio.run(main())
