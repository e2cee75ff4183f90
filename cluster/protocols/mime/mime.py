"""Reads a mail for people: headers and text, whatever its charsets, encodings and structure.

Strangers send mails, so nothing here raises for a broken one. The library's older policy (compat32) is used because it
only splits; its newer one parses each header, and fails on many broken ones.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from typing import TypeVar

from cluster.protocols.mime import charsets
from cluster.protocols.mime.plain import text_of_html
from cluster.xmpp.element import NOT_XML

T = TypeVar("T")
MAX_WORK = 2_000_000
"""The parser compares each line with the boundaries of all enclosing parts; this is lines times such parts, about a
second."""
MAX_PARTS = 10_000
MAX_HEADERS_BYTES = 65_536
MAX_HEADER_CHARACTERS = 10_000
MAX_DEPTH = 20
"""Of nested parts in which a text is looked for."""
MAX_TEXT_CHARACTERS = 40_000
"""A text of this length, with each character written as `&amp;`, fits into a stanza of 262,144 bytes."""
MAX_NOTES = 50
CUT = "\n[the text is longer, and was cut here]"


def parse(data: bytes) -> Message:
    """The mail as a tree; a mail whose structure takes too much work, or is broken, is a single text."""
    head, _, body = re.sub(rb"\r\n?", b"\n", data).partition(b"\n\n")
    multiparts = data.lower().count(b"multipart/")
    work = body.count(b"\n") * multiparts
    if len(head) <= MAX_HEADERS_BYTES and work <= MAX_WORK and (not multiparts or body.count(b"\n--") <= MAX_PARTS):
        whole = tried(lambda: message_from_bytes(data), None)
        if whole is not None:
            return whole
    single = message_from_bytes(head[:MAX_HEADERS_BYTES])
    for name in ("Content-Type", "Content-Transfer-Encoding"):
        del single[name]
    single.set_payload(body.decode("ascii", "surrogateescape"))
    return single


def tried(read: Callable[[], T], default: T) -> T:
    """The result of a function of the library, which raises all kinds of exceptions for broken mails; None if it
    fails."""
    try:
        return read()
    except Exception:
        return default


def clean(text: str) -> str:
    """The text with line feeds as line ends, without characters that XML cannot represent."""
    return NOT_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def header(mail: Message, name: str) -> str:
    """The first header of this name as one line, its encoded words (RFC 2047) decoded; empty if the mail has none."""
    return decoded(raw_header(mail, name))


def raw_header(mail: Message, name: str) -> str:
    """The same with its encoded words unchanged; bytes beyond ASCII are read as UTF-8 (RFC 6532)."""
    return next(iter(raw_headers(mail, name)), "")


def raw_headers(mail: Message, name: str) -> list[str]:
    """All headers of this name."""
    values = [value for key, value in mail.raw_items() if key.lower() == name.lower()]
    octets = (str(value)[:MAX_HEADER_CHARACTERS].encode("utf-8", "surrogateescape") for value in values)
    return [" ".join(value.decode("utf-8", "replace").split()) for value in octets]


def decoded(value: str) -> str:
    """The text of a header's value."""
    pieces: list[tuple[bytes | str, str | None]] = tried(lambda: decode_header(value), [(value, None)])
    words = [
        piece if isinstance(piece, str) else charsets.decode(piece, _label(charset))[0] for piece, charset in pieces
    ]
    return " ".join(clean("".join(words)).split())


def octets_of(part: Message) -> bytes:
    """The content of a part, with its transfer encoding (RFC 2045 section 6) decoded as far as possible."""
    payload = tried(lambda: part.get_payload(decode=True), None)
    return payload if isinstance(payload, bytes) else b""


def text_of(mail: Message) -> str:
    """The best text of the tree, then a note for each attachment; cut if it is too long for a stanza."""
    parts = list(_parts(mail, 0))
    texts = {id(part): _words(part) for part in parts if _is_shown(part)}
    if not any(texts.values()):  # then a text with a file name is not an attachment
        named = (part for part in parts if _is_text(part) and (len(parts) == 1 or not _is_attachment(part)))
        texts |= {id(part): _words(part) for part in itertools.islice(named, 1)}
    text = "\n\n".join(filter(None, texts.values()))
    notes = [_note(part) for part in parts if id(part) not in texts]
    if len(text) > MAX_TEXT_CHARACTERS:
        text = text[:MAX_TEXT_CHARACTERS] + CUT
    if len(notes) > MAX_NOTES:
        notes[MAX_NOTES:] = [f"[and {len(notes) - MAX_NOTES} more attachments]"]
    return "\n\n".join(piece for piece in (text, "\n".join(notes)) if piece)


def _parts(part: Message, depth: int) -> Iterator[Message]:
    """The parts with content, in order."""
    children = part.get_payload()
    if depth > MAX_DEPTH:
        return
    if not isinstance(children, list) or part.get_content_maintype() != "multipart":
        yield part
    elif part.get_content_subtype() == "alternative":  # RFC 2046 section 5.1.4: each is better than the previous
        best = _best([child for child in children if isinstance(child, Message)])
        if best is not None:
            yield from _parts(best, depth + 1)
    else:
        for child in children:
            if isinstance(child, Message):
                yield from _parts(child, depth + 1)


def _best(alternatives: list[Message]) -> Message | None:
    def worth(part: Message) -> int:
        own, *types = [_type_with_words(each) for each in part.walk()]
        if own == "text/plain":
            return 4
        if "text/plain" in types:
            return 3
        if own == "text/html" or "text/html" in types:
            return 2
        return 1 if own.startswith("text/") else 0

    return max(reversed(alternatives), key=worth, default=None)


def _type_with_words(part: Message) -> str:
    """Its type; none for a blank text, which some mailers put next to their HTML."""
    type = part.get_content_type()
    return "" if type == "text/plain" and not _words(part) else type


def _is_text(part: Message) -> bool:
    return not part.is_multipart() and part.get_content_maintype() in ("text", "multipart")  # or one without its parts


def _is_attachment(part: Message) -> bool:
    return tried(part.get_content_disposition, None) == "attachment"


def _is_shown(part: Message) -> bool:
    return _is_text(part) and not _is_attachment(part) and not _file_name(part)


def _words(part: Message) -> str:
    charset = tried(lambda: part.get_param("charset"), None)
    text, is_known = charsets.decode(octets_of(part), _label(charset))
    shown = clean(text_of_html(text) if part.get_content_type() == "text/html" else text).strip()
    if shown and not is_known and charset is not None:
        shown += f"\n[the charset {clean(_label(charset))} is unknown: read as windows-1252]"
    return shown


def _note(part: Message) -> str:
    size_bytes = sum(len(octets_of(each)) for each in part.walk())  # a forwarded mail has parts
    name = _file_name(part) or "without a name"
    return f"[attachment: {name}, {clean(part.get_content_type())}, {size_bytes} bytes]"


def _file_name(part: Message) -> str:
    name = tried(lambda: part.get_filename(""), "")  # RFC 2231
    octets = str(name).encode("utf-8", "surrogateescape")
    return decoded(octets.decode("utf-8", "replace"))[:100]


def _label(charset: object) -> str:
    """The charset of the mail, whatever form the library gives it: a name, RFC 2231's triple, or None."""
    name = charset[2] if isinstance(charset, tuple) else charset
    return str(name or "").strip("'\" ")[:40]
