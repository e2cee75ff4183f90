"""Settings for outgoing mail."""

from __future__ import annotations

import msgspec


class RelaySettings(msgspec.Struct, frozen=True):
    """The host that accepts all outgoing mail: the lab's mail host, or a smart host."""

    host: str
    """Its name, for TLS and for the log."""
    user: str = ""
    """The account for the login; empty: no login."""
    password: str = ""
    starttls: bool = False
    """Encrypt, and send nothing if that fails or the certificate is not the host's."""
    give_up_after_s: float = 4 * 3_600.0
    """How long a mail is tried. RFC 5321 section 4.5.4.1 says days; the authors of XMPP messages want to know
    sooner."""

    def __post_init__(self) -> None:
        if self.user and not self.starttls:
            raise ValueError(f"the password for {self.host} would go over the wire in the clear; set starttls")
