"""What the raw bytes tell of XML tokens: whether the last one is complete, and whether one may be too long."""

from __future__ import annotations

import re

from cluster.xmpp.limits import MAX_NAMESPACE

# a possessive repeat of a group may end at a wrong place before Python 3.11.5 (github.com/python/cpython/issues/106052)
_TAG = re.compile(rb"<(?:[^\"'<>]++|\"[^\"<]*+\"|'[^'<]*+')*>")
_QUOTED = re.compile(rb"(?:[^\"'<>]++|\"[^\"<]*+\"|'[^'<]*+')+")
"""In a tag: up to its end, an unclosed value, or a `<`, which is not allowed there."""
_CLOSING = {
    b"<": re.compile(rb"[\"'<>]"),
    b'"': re.compile(rb"[\"<]"),
    b"'": re.compile(rb"['<]"),
    b"&": re.compile(rb"[;<&\s]"),
}
"""The end of an incomplete tag, quoted value or reference, by its beginning; or a character that is not allowed in
it."""

_BRACE, _AMPERSAND, _HASH = b"}&#"


class UnfinishedToken:
    """Holds an incomplete tag or reference back from expat until its end has come. Each byte is examined once, however
    the input is cut.

    expat before 2.6 scans an incomplete token again with every piece of it. Later versions, and older ones as patched
    by distributions, delay a token that comes in three pieces until much more has come: a stanza would wait for the
    next one.
    """

    __slots__ = ("_within", "held")

    def __init__(self) -> None:
        self.held = bytearray()
        """The held bytes."""
        self._within = b""  # what the held bytes end in: a tag, a value in one of the quotes, a reference; or nothing

    def complete(self, data: bytes) -> bytes:
        """The part of the held bytes and `data` that expat can parse; the rest is held back.

        If the last token is not complete for expat, it cannot become so: a `<` is in a tag.
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
        """A token is held back, and `data` may end it."""
        if len(self.held) == 1:  # `<` or `&` alone: the next byte decides
            end, data = 0, bytes(self.held) + data
            self.held.clear()
        elif (end := self._end(data, 0)) < 0:
            self.held += data
            return b""
        token = bytes(self.held) + data[:end]
        self.held, self._within = bytearray(), b""
        return token + self.complete(data[end:]) if end < len(data) else token

    def _end(self, data: bytes, at: int) -> int:
        """The end of the token in `data`, or an invalid character, which expat will report; -1 if it continues."""
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


def may_have_odd_namespace(tokens: bytes) -> bool:
    """Whether a namespace in these whole tokens may have a brace or be too long; False is certain."""
    # searching for a byte by its number is several times as fast as searching for two
    may_have_brace = _BRACE in tokens or (_AMPERSAND in tokens and _HASH in tokens and b"&#" in tokens)
    return may_have_brace or may_have_long_namespace(tokens)


def may_have_long_namespace(tokens: bytes) -> bool:
    """Whether a namespace in these whole tokens may have more than MAX_NAMESPACE characters; False is certain.

    A character takes at least one byte, and a value contains no `<`. So a long one takes that many bytes between two of
    them. Of each such window the last `<` is found from its end: few bytes are examined.
    """
    at = 0
    while at + MAX_NAMESPACE <= len(tokens):
        at = tokens.rfind(b"<", at, at + MAX_NAMESPACE) + 1
        if not at:
            return True
    return False
