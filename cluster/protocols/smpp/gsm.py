"""The GSM 7-bit default alphabet and its extension (3GPP TS 23.038 sections 6.2.1 and 6.2.1.1).

SMPP carries it as one septet for each octet (data_coding 0 of most message centres, and of the lab's).
"""

from __future__ import annotations

ESCAPE = 0x1B

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip

_SEPTETS = {character: bytes([code]) for code, character in enumerate(_BASIC) if code != ESCAPE}
_SEPTETS |= {character: bytes([ESCAPE, code]) for code, character in _EXTENSION.items()}


def encode(text: str) -> bytes | None:
    """One septet in each octet; None if a character is not in the alphabet."""
    try:
        return b"".join([_SEPTETS[character] for character in text])
    except KeyError:
        return None


def decode(octets: bytes) -> str:
    """The text. An unknown extension is decoded as the character of the basic table (section 6.2.1.1)."""
    characters = []
    escaped = False
    for octet in octets:
        if octet > 0x7F:
            characters.append("\ufffd")
        elif octet == ESCAPE and not escaped:
            escaped = True
            continue
        elif escaped:
            characters.append(_EXTENSION.get(octet, " " if octet == ESCAPE else _BASIC[octet]))
        else:
            characters.append(_BASIC[octet])
        escaped = False
    return "".join(characters)
