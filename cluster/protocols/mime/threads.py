"""The thread of a message (RFC 6121 section 5.2.5) as the Message-ID that a conversation's mails refer to, and back."""

from __future__ import annotations

import hashlib
import re

from cluster.protocols.mime.quoted import quote, unquote

_MESSAGE_ID = re.compile(r"<[!#$%&'*+/=?^_`{|}~.A-Za-z0-9-]+@[][:.A-Za-z0-9_-]+>", re.ASCII)
"""RFC 5322 section 3.6.4, without its obsolete forms."""
_PREFIX = "thread."
_MAX_CHARACTERS = 200
"""Of the word for a thread: a line of a header has at most 998 (RFC 5322 section 2.1.1)."""


def message_ids(header: str) -> list[str]:
    """All ids in a References or In-Reply-To header, with their < and >, in order."""
    return _MESSAGE_ID.findall(header)


def root_of(thread: str, domain: str) -> str:
    """The Message-ID of a thread: the thread itself if it is one, otherwise one at the gateway's domain."""
    if len(thread) <= _MAX_CHARACTERS and _MESSAGE_ID.fullmatch(f"<{thread}>"):
        return f"<{thread}>"
    word = quote(thread)
    if len(word) > _MAX_CHARACTERS:
        word = hashlib.sha256(thread.encode()).hexdigest()
    return f"<{_PREFIX}{word}@{domain}>"


def thread_of(root: str, domain: str) -> str:
    """The thread of a conversation, from its first Message-ID."""
    root = root.removeprefix("<").removesuffix(">")
    if root.startswith(_PREFIX) and root.endswith(f"@{domain}"):
        try:
            return unquote(root.removeprefix(_PREFIX).removesuffix(f"@{domain}"))
        except ValueError:
            pass  # the Message-ID of another host
    return root
