"""A client that tells when it has read something, and says what it wants to hear of when a server asks."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

from cluster.xmpp.extensions.caps import CAPS, INFO, NOTIFY
from cluster.xmpp.jid import Jid
from loadtests.bench.line import Line

TUNE = "http://jabber.org/protocol/tune"
"""The node of personal eventing that it wants (XEP-0118)."""
_FEATURES = sorted((INFO, CAPS, f"{TUNE}{NOTIFY}"))
_IDENTITY = "client/pc//bench"
_DIGEST = hashlib.sha1("".join(f"{each}<" for each in (_IDENTITY, *_FEATURES)).encode()).digest()
_HASH = base64.b64encode(_DIGEST).decode()
CAPABLE = f"<c xmlns='{CAPS}' hash='sha-1' node='urn:example:bench' ver='{_HASH}'/>"
"""What its presence says of it (XEP-0115 section 4)."""
_INFO = INFO.encode()
_QUESTION = re.compile(rb"<iq\b([^>]*)>\s*<query\b([^>]*)>")
_NOTHING = b"\0"
"""In no stanza."""


class Hearer:
    """One client, which answers questions about its capabilities."""

    __slots__ = ("_rest", "jid", "line", "mark", "on_heard")

    def __init__(self, line: Line, jid: Jid) -> None:
        self.line = line
        self.jid = jid
        self.mark = _NOTHING
        """What to wait for, once: bytes without `>`."""
        self.on_heard: Callable[[], object] = _ignore
        """Called when it has read the mark."""
        self._rest = b""
        line.on_data = self._on_data

    def _on_data(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b">") + 1
        self._rest = data[end:]
        if data.find(self.mark, 0, end) >= 0:
            self.mark = _NOTHING
            self.on_heard()
        if _INFO in data:
            self._answer(data[:end])

    def _answer(self, data: bytes) -> None:
        """Say what the client wants (XEP-0115 section 6.2)."""
        for question in _QUESTION.finditer(data):
            asker, id, node = (_value(question[1], b"from"), _value(question[1], b"id"), _value(question[2], b"node"))
            if _value(question[1], b"type") != b"get" or _value(question[2], b"xmlns") != _INFO:
                continue
            features = "".join(f"<feature var='{each}'/>" for each in _FEATURES)
            said = f"<identity category='client' type='pc' name='bench'/>{features}".encode()
            addresses = b"to='%b' id='%b'" % (asker, id)
            named = b" node='%b'" % node if node else b""
            query = b"<query xmlns='%b'%b>%b</query>" % (_INFO, named, said)
            self.line.send(b"<iq type='result' %b>%b</iq>" % (addresses, query))


def _value(attributes: bytes, name: bytes) -> bytes:
    """As it is written; empty if it is not there."""
    found = re.search(rb"\s%b=(?:'([^']*)'|\"([^\"]*)\")" % name, attributes)
    return (found[1] or found[2] or b"") if found else b""


def _ignore() -> None:
    pass
