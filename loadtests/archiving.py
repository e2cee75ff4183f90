"""What the archives of load users keep. Mostly nothing: a load would measure the archive, and fill the storage."""

from __future__ import annotations

from typing import Literal

from cluster.client.blocking import BlockingClient
from cluster.xmpp.namespaces import CLIENT, MAM

_ID = "archiving"


def keep(client: BlockingClient, what: Literal["never", "always"]) -> None:
    """Set this for an account (XEP-0441 section 2.1), and wait for the answer: an error if there is no archive."""
    prefs = f"<prefs xmlns='{MAM}' default='{what}'><always/><never/></prefs>"
    client.send(f"<iq type='set' id='{_ID}'>{prefs}</iq>".encode())
    while (child := client.receive()) is not None:
        if child.name == f"{CLIENT} iq" and child.attributes.get("id") == _ID:
            return
