"""Keeps the messages of a load out of the archive: otherwise it would measure the archive, and fill the lab's
storage."""

from __future__ import annotations

from cluster.client.blocking import BlockingClient
from cluster.xmpp.namespaces import CLIENT, MAM

_ID = "unarchived"
_REQUEST = f"<iq type='set' id='{_ID}'><prefs xmlns='{MAM}' default='never'><always/><never/></prefs></iq>".encode()


def keep_nothing(client: BlockingClient) -> None:
    """Set this for a new account (XEP-0441 section 2.1), and wait for the answer: an error if there is no archive."""
    client.send(_REQUEST)
    while (child := client.receive()) is not None:
        if child.name == f"{CLIENT} iq" and child.attributes.get("id") == _ID:
            return
