"""STARTTLS (RFC 6120 section 5)."""

from __future__ import annotations

from typing import Literal

TlsMode = Literal["required", "optional", "off"]
"""Whether clients must, may or cannot encrypt their stream."""
