"""Where a token of XML ends that comes in pieces: each byte is looked at once, however the input is cut."""

from __future__ import annotations

import re

_TAG = re.compile(rb"<(?:[^\"'<>]++|\"[^\"<]*+\"|'[^'<]*+')*+>")
_QUOTED = re.compile(rb"(?:[^\"'<>]++|\"[^\"<]*+\"|'[^'<]*+')++")
"""Of a tag: up to its end, a value that is not closed, or a `<`, which may not stand there."""
_CLOSING = {
    b"<": re.compile(rb"[\"'<>]"),
    b'"': re.compile(rb"[\"<]"),
    b"'": re.compile(rb"['<]"),
    b"&": re.compile(rb"[;<&\s]"),
}
"""What ends a tag, a quoted value and a reference that have begun, by what begins them; or cannot stand in them."""


class UnfinishedToken:
    """Keeps a tag or reference that has begun back from expat until its end has come.

    expat before 2.6 scans an unfinished token again with every piece of it. Later versions, and older ones as
    distributions mend them, let a token that comes in three pieces wait until much more has come: a stanza would wait
    for the next one.
    """

    __slots__ = ("_within", "held")

    def __init__(self) -> None:
        self.held = bytearray()
        """The bytes kept back."""
        self._within = b""  # what the held bytes end in: a tag, a value in one of the quotes, a reference; or nothing

    def complete(self, data: bytes) -> bytes:
        """What expat can take of the bytes kept back and `data`; the rest is kept back.

        Where the last of them is no complete token to expat, none can become of it: a `<` stands in a tag.
        """
        if self._within:
            return self._go_on(data)
        begun = data.rfind(b"<")
        if begun < 0 or _TAG.match(data, begun):
            begun = data.rfind(b"&", begun + 1)
            if begun < 0:
                return data
        self._within = data[begun : begun + 1]
        if self._end(data, begun + 1) >= 0:
            self._within = b""
            return data
        self.held += data[begun:]
        return data[:begun]

    def _go_on(self, data: bytes) -> bytes:
        """A token is kept back, and `data` may end it."""
        if len(self.held) == 1:  # `<` or `&` alone: what follows tells what it is
            end, data = 0, bytes(self.held) + data
            self.held.clear()
        elif (end := self._end(data, 0)) < 0:
            self.held += data
            return b""
        token = bytes(self.held) + data[:end]
        self.held, self._within = bytearray(), b""
        return token + self.complete(data[end:]) if end < len(data) else token

    def _end(self, data: bytes, at: int) -> int:
        """Where in `data` the token ends, or cannot go on, which expat will tell; -1 where it goes on."""
        while found := _CLOSING[self._within].search(data, at):
            what, at = found.group(), found.end()
            if what == b"<":
                return found.start()
            if self._within == b"&" or what == b">":
                self._within = b""
                return at
            if self._within != b"<":  # the value is closed
                self._within = b"<"
            elif quoted := _QUOTED.match(data, found.start()):
                at = quoted.end()
            else:
                self._within = what
        return -1
