"""Decodes octets in the charset that a mail names.

Mails use the charset names of browsers, with their meaning: the labels are those of the WHATWG Encoding Standard (by
webencodings), in which `iso-8859-1` is windows-1252 and `gb2312` is GBK. Python's own lookup is not used: it lacks
`iso-8859-8-i`, and has codecs such as `punycode` that are not charsets and take quadratic time.
"""

from __future__ import annotations

import re

import webencodings

_OTHERS = re.compile(r"utf-7|utf-32(?:[lb]e)?|hz(?:-gb-2312)?|iso-2022-kr|johab|cp\d{3,5}", re.ASCII)
"""Charsets of mails that browsers refuse or do not know; Python decodes these under their own names."""
_SUPERSETS = {"gbk": "gb18030"}
_JIS = re.compile(rb"\x1b\$[@B]([^\x1b]*)|\x1b\(I([^\x1b]*)|\x1b\([BJ]")
"""ISO-2022-JP: a run of two-byte characters, a run of half-width kana, the return to ASCII."""


def decode(octets: bytes, label: str) -> tuple[str, bool]:
    """The text, and False if it is a guess because the charset is unknown.

    Octets that the charset does not have become U+FFFD. Many mails that say UTF-8 or ASCII are neither: they are read
    as windows-1252, like those that name no charset.
    """
    text = _decode_as(octets, label)
    if text is not None:
        return text, True
    text = _strict(octets, "utf-8")
    return octets.decode("cp1252", "replace") if text is None else text, text is not None


def _decode_as(octets: bytes, label: str) -> str | None:
    encoding = webencodings.lookup(label)
    if encoding is None or encoding.name == "replacement":
        name = label.strip().lower()
        return _decode(octets, name) if _OTHERS.fullmatch(name) else None
    match encoding.name:
        case "utf-8" | "windows-1252":
            text = _strict(octets, "utf-8")
            return _decode(octets, "cp1252") if text is None else text
        case "iso-2022-jp":
            return _decode(_JIS.sub(_euc, octets), "euc_jis_2004")
        case "euc-jp":
            text = _strict(octets, "euc_jp")
            return _decode(octets, "euc_jis_2004") if text is None else text
    decoded: str = webencodings.decode(octets, _SUPERSETS.get(encoding.name, encoding))[0]
    return decoded


def _strict(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except ValueError:
        return None


def _decode(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec, "replace")
    except LookupError:  # a code page that Python lacks
        return None


def _euc(run: re.Match[bytes]) -> bytes:
    """The same characters in EUC-JP, whose decoder has the circled digits and similar ones that mailers use."""
    wide, kana = run.groups()
    if kana:
        return b"".join(bytes((0x8E, octet | 0x80)) for octet in kana)
    return bytes(octet | 0x80 for octet in wide or b"" if octet > 0x20)
