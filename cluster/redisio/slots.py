"""Where a key is in a Redis Cluster; without a reactor, for commands too."""

from __future__ import annotations

from binascii import crc_hqx

SLOTS = 16_384


def slot(key: str | bytes | int) -> int:
    """The slot of a key: by the CRC16 of its tag, or of the whole key if it has none."""
    raw = key if isinstance(key, bytes) else str(key).encode()
    begin = raw.find(b"{") + 1
    end = raw.find(b"}", begin) if begin else -1
    return crc_hqx(raw[begin:end] if end > begin else raw, 0) % SLOTS
