"""vCards as XEP-0054 has them, as far as somebody looks into them: the photo."""

from __future__ import annotations

import base64
import binascii
from hashlib import sha1

from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError

VCARD = "vcard-temp"
UPDATE = "vcard-temp:x:update"
"""XEP-0153."""


def photo_hash(vcard: Element) -> str:
    """The SHA-1 of the photo (XEP-0153 section 3.1), empty where there is none. Raises StanzaError."""
    text = vcard.findtext(f"{{{VCARD}}}PHOTO/{{{VCARD}}}BINVAL") or ""
    try:
        photo = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise StanzaError(Condition.BAD_REQUEST, "BINVAL of the photo is not base64") from None
    return sha1(photo).hexdigest() if photo else ""
