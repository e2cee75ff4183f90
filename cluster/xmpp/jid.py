"""Addresses (RFC 7622): parsed, prepared and compared in one place."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache, lru_cache
from ipaddress import IPv6Address
from typing import Any
from unicodedata import normalize

import idna
import msgspec

_LOCALPART, _RESOURCEPART = "UsernameCaseMapped", "OpaqueString"

MAX_PART_BYTES = 1023
"""RFC 7622 sections 3.2 to 3.4: each part is at most 1023 octets of UTF-8."""

_CACHED_CHARACTERS = 256
"""Longer addresses are rare, and 16,384 of them would be 100 MB."""

_PLAIN_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_+!#$%*=?^`{|}~()[];\\,")
_FORBIDDEN_LOCAL = frozenset("\"&'/:<>@ ")
"""RFC 7622 section 3.3.1: never allowed in a localpart, even if UsernameCaseMapped allows them."""
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
"""Labels of letters, digits and hyphens (RFC 5890 section 2.3.1), already prepared."""


class JidError(ValueError):
    """The text is not a JID; the message says which part is wrong and why."""


class Jid(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """An address whose parts are prepared (RFC 7622), so that equal addresses compare equal.

    `Jid.parse` creates one from text; the constructor takes parts that are already prepared.
    """

    localpart: str
    domainpart: str
    resourcepart: str = ""

    @staticmethod
    def parse(text: str) -> Jid:
        """The address of a text. Raises JidError. Cached: the message path sees the same addresses often."""
        return _parse(text) if len(text) <= _CACHED_CHARACTERS else _parse.__wrapped__(text)

    @property
    def bare(self) -> Jid:
        """The address without its resourcepart."""
        return Jid(self.localpart, self.domainpart) if self.resourcepart else self

    @property
    def is_bare(self) -> bool:
        """Whether it is `localpart@domainpart` or `domainpart`."""
        return not self.resourcepart

    def with_resource(self, resourcepart: str) -> Jid:
        """The full address of one resource; `resourcepart` is prepared here. Raises JidError."""
        return Jid(self.localpart, self.domainpart, prepare_resourcepart(resourcepart))

    def __str__(self) -> str:
        text = f"{self.localpart}@{self.domainpart}" if self.localpart else self.domainpart
        return f"{text}/{self.resourcepart}" if self.resourcepart else text


@lru_cache(maxsize=16_384)
def is_address(jid: Jid) -> bool:
    """Whether it is what `Jid.parse` reads from its text; parts that others made may, written together, read as another
    address or as none."""
    try:
        return Jid.parse(str(jid)) == jid
    except JidError:
        return False


@lru_cache(maxsize=16_384)
def _parse(text: str) -> Jid:
    # RFC 7622 section 3.1: cut at the first '/', then at the first '@' before it.
    address, slash, resourcepart = text.partition("/")
    localpart, at, domainpart = address.partition("@")
    if not at:
        localpart, domainpart = "", address
    elif not localpart:
        raise JidError("empty localpart")
    if slash and not resourcepart:
        raise JidError("empty resourcepart")
    return Jid(
        prepare_localpart(localpart) if localpart else "",
        prepare_domainpart(domainpart),
        prepare_resourcepart(resourcepart) if resourcepart else "",
    )


def prepare_localpart(text: str) -> str:
    """`text` by the UsernameCaseMapped profile (RFC 7622 section 3.3). Raises JidError."""
    _check_size("localpart", text)
    if not _PLAIN_LOCAL.issuperset(text):
        # as NFKC, because the profile's width mapping turns a full-width ＠ into an @
        if not _FORBIDDEN_LOCAL.isdisjoint(normalize("NFKC", text)):
            raise JidError(f"localpart {text!r} has one of \" & ' / : < > @ or a space; escape it by XEP-0106")
        text = _enforce(_LOCALPART, "localpart", text)
    return text


def prepare_domainpart(text: str) -> str:
    """`text` as lower-case U-labels without a final dot (RFC 7622 section 3.2). Raises JidError."""
    _check_size("domainpart", text)
    if text.startswith("[") and text.endswith("]"):
        try:
            return f"[{IPv6Address(text[1:-1].replace('%', ' ')).compressed}]"  # no scope: it has no meaning for others
        except ValueError as error:
            raise JidError(f"domainpart {text!r}: {error}") from None
    if not _PLAIN_DOMAIN.fullmatch(text) or "xn--" in text:
        try:
            text = idna.decode(idna.encode(text, uts46=True))
        except (idna.IDNAError, UnicodeError) as error:
            raise JidError(f"domainpart {text!r}: {error}") from None
        _check_size("domainpart", text)
    return text.removesuffix(".")


def prepare_resourcepart(text: str) -> str:
    """`text` by the OpaqueString profile (RFC 7622 section 3.4). Raises JidError."""
    _check_size("resourcepart", text)
    if not (text.isascii() and text.isprintable()):
        text = _enforce(_RESOURCEPART, "resourcepart", text)
    return text


def mended_resourcepart(text: str) -> str:
    """The part of `text` that a resourcepart can have (RFC 6120 section 7.7.2.1); possibly empty."""
    allowed = "".join(character for character in text[:MAX_PART_BYTES] if _stands_alone(character))
    with suppress(JidError):
        return prepare_resourcepart(allowed.encode()[:MAX_PART_BYTES].decode(errors="ignore"))
    return ""


def _stands_alone(character: str) -> bool:
    try:
        return bool(prepare_resourcepart(character))
    except JidError:
        return False


@cache
def _profile(name: str) -> Any:
    from precis_i18n import get_profile  # tables that no command waits for: most addresses are ASCII

    return get_profile(name)


def _enforce(profile: str, part: str, text: str) -> str:
    try:
        prepared = str(_profile(profile).enforce(text))
    except UnicodeEncodeError as error:
        raise JidError(f"{part} {text!r}: {error.reason}") from None
    _check_size(part, prepared)
    return prepared


def _check_size(part: str, text: str) -> None:
    """Checked before the preparation too, which is slow for a text of a stanza's size."""
    if not text:
        raise JidError(f"the {part} is empty")
    if len(text.encode(errors="surrogatepass")) > MAX_PART_BYTES:
        raise JidError(f"the {part} is longer than {MAX_PART_BYTES} bytes")
