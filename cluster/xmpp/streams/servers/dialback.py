"""Server dialback (XEP-0220): its keys and elements."""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, ErrorType, StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import DIALBACK, DIALBACK_FEATURE, STANZA_ERRORS
from cluster.xmpp.parser import Slice
from cluster.xmpp.quoting import escape, quoteattr

RESULT = f"{DIALBACK} result"
VERIFY = f"{DIALBACK} verify"
FEATURE = f"<dialback xmlns='{DIALBACK_FEATURE}'><errors/></dialback>"
"""XEP-0220 section 2.4.2."""
MAX_KEY_CHARACTERS = 512
"""The longest key that a peer may send; those of XEP-0185 have 64 characters."""


class Pair(NamedTuple):
    """A sender domain and a target domain, for which a stream is authenticated (XEP-0220 section 1.2)."""

    from_: str
    to: str

    @property
    def reverse(self) -> Pair:
        """The pair of the answer to an element of this one."""
        return Pair(self.to, self.from_)


class Verification(NamedTuple):
    """The question of the receiving server to the authoritative one, whether a key is its own."""

    pair: Pair
    """The pair for which the key was sent."""
    id: str
    """The id of the stream over which the key came."""
    key: str


def key(secret: str, pair: Pair, stream_id: str) -> str:
    """The key of a pair for one stream (XEP-0185 section 3)."""
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    return hmac.new(hashed.encode(), f"{pair.to} {pair.from_} {stream_id}".encode(), hashlib.sha256).hexdigest()


def is_key(given: str, secret: str, pair: Pair, stream_id: str) -> bool:
    """Whether `given` is that key; compares in constant time."""
    return hmac.compare_digest(given.encode(), key(secret, pair, stream_id).encode())


def domain_of(text: str | None) -> str:
    """The domain in the value of an attribute, prepared; empty if it is not a domain."""
    try:
        jid = Jid.parse(text or "")
    except JidError:
        return ""
    return "" if jid.localpart or jid.resourcepart else jid.domainpart


def pair_of(child: Slice) -> Pair:
    """The pair that a dialback element names. Raises StreamError if it names none."""
    pair = Pair(domain_of(child.attributes.get("from")), domain_of(child.attributes.get("to")))
    if not (pair.from_ and pair.to):
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, "dialback is from a domain to a domain")
    return pair


def key_of(child: Slice) -> str:
    """The key in a request, cut off after one character too many."""
    return (xml.parse(child.raw).text or "").strip()[: MAX_KEY_CHARACTERS + 1]


def request(name: str, pair: Pair, key: str, id: str = "") -> bytes:
    """`name`: result (with this server's key) or verify (with a peer's key, and the `id` of its stream)."""
    return f"{_opening(name, pair, id)}>{escape(key)}</db:{name}>".encode()


def answer(name: str, pair: Pair, outcome: bool | StanzaError, id: str = "") -> bytes:
    """The answer to a request of this pair: valid, invalid or an error. `id`: that of a verify request."""
    begin = _opening(name, pair.reverse, id)
    if not isinstance(outcome, StanzaError):
        return f"{begin} type='{'valid' if outcome else 'invalid'}'/>".encode()
    text = f"<text xmlns='{STANZA_ERRORS}'>{escape(outcome.text)}</text>" if outcome.text else ""
    error = f"<error type='{outcome.type}'><{outcome.condition} xmlns='{STANZA_ERRORS}'/>{text}</error>"
    return f"{begin} type='error'>{error}</db:{name}>".encode()


def outcome_of(child: Slice) -> bool | StanzaError:
    """The outcome in an answer: valid, invalid or an error."""
    match child.attributes.get("type"):
        case "valid":
            return True
        case "invalid":
            return False
    names = {element.tag for element in xml.parse(child.raw).iter()}
    known = (condition for condition in Condition if f"{{{STANZA_ERRORS}}}{condition}" in names)
    return StanzaError(next(known, Condition.UNDEFINED_CONDITION), type=ErrorType.CANCEL)


def unasked(child: Slice) -> StreamError:
    """The error for an answer without a request on its stream: it would authenticate anybody (section 3.1)."""
    text = f"nobody asked for this {child.name.rpartition(' ')[2]} (XEP-0220 section 3.1)"
    return StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, text)


def _opening(name: str, pair: Pair, id: str) -> str:
    of_stream = f" id={quoteattr(id)}" if id else ""
    return f"<db:{name} from={quoteattr(pair.from_)} to={quoteattr(pair.to)}{of_stream}"
