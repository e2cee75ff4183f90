"""Nicknames: which are allowed, and which look so similar that two accounts cannot have them (RFC 8266)."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import normalize

from precis_i18n import get_profile

from cluster.base import reasons
from cluster.xmpp.errors import Condition, StanzaError

MAX_NICK_BYTES = 256
"""XEP-0045 has no limit. A resourcepart has at most 1,023 bytes, but each copy of a message contains the nick."""

_NICKNAME = get_profile("NicknameCasePreserved")

_LOOKS_LIKE = str.maketrans(
    "аеорсухіјѕԁһӏԛԝьвкмнтгзбпαβεικνορτυχγηωƅοсօոսհրցզℓ",
    "aeopcyxijsdhlqwbbkmhtr36nabeikvoptuxynwboconuhpgzl",
)
"""Small letters of other scripts that look like Latin ones: the common ones of UTS 39 (confusables.txt)."""


@lru_cache(maxsize=16_384)
def prepare(resourcepart: str) -> str:
    """The nick for a requested resourcepart. Raises StanzaError if it cannot be a nick."""
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
    """The same for nicks that people confuse: those that differ only in case, width and look-alikes."""
    return normalize("NFKC", nick).casefold().translate(_LOOKS_LIKE)


def nick_taken(nick: str) -> StanzaError:
    """Somebody else has the nick, has reserved it, or has one that looks like it."""
    text = f"somebody else has the nickname {nick}, or one that looks like it"
    return StanzaError(Condition.CONFLICT, text, reason=reasons.NICK_TAKEN)


def no_occupant(nick: str) -> StanzaError:
    """Nobody has exactly this nick."""
    return StanzaError(Condition.ITEM_NOT_FOUND, f"nobody in the room is called {nick}", reason=reasons.NO_OCCUPANT)
