"""Nicknames: which are allowed, and which are so much alike that two people cannot have them (RFC 8266)."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import normalize

from precis_i18n import get_profile

from cluster.xmpp.errors import Condition, StanzaError

MAX_NICK_BYTES = 256
"""XEP-0045 leaves it open; a resourcepart has at most 1,023, and each copy of a message has the nick in it."""

_NICKNAME = get_profile("NicknameCasePreserved")

_LOOKS_LIKE = str.maketrans(
    "аеорсухіјѕԁһӏԛԝьвкмнтгзбпαβεικνορτυχγηωƅοсօոսհրցզℓ",
    "aeopcyxijsdhlqwbbkmhtr36nabeikvoptuxynwboconuhpgzl",
)
"""Small letters of other scripts that look like Latin ones: the common ones of UTS 39 (confusables.txt)."""


@lru_cache(maxsize=16_384)
def prepare(resourcepart: str) -> str:
    """The nick that somebody gets who asks for this one. Raises StanzaError where it cannot be one."""
    try:
        nick = str(_NICKNAME.enforce(resourcepart))
    except (UnicodeEncodeError, ValueError) as error:
        reason = getattr(error, "reason", "it has no visible character")
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"{resourcepart!r} cannot be a nickname: {reason}") from None
    if len(nick.encode()) > MAX_NICK_BYTES:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"a nickname has at most {MAX_NICK_BYTES} bytes")
    return nick


@lru_cache(maxsize=16_384)
def key(nick: str) -> str:
    """What nicks have in common that people take for one another: the same but for case, width and look-alikes."""
    return normalize("NFKC", nick).casefold().translate(_LOOKS_LIKE)
