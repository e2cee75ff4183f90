"""Sessions of version 0.1, whose records had a field for each value of a module."""

from __future__ import annotations

import msgspec

from cluster.store.session import SessionRecord

_NAMES = {
    "interested": "roster interested",
    "follows_blocks": "blocking follows",
    "carbons": "carbons wants",
    "inactive": "csi inactive",
}
"""By former field: the name of the value."""
_record = msgspec.msgpack.Decoder(SessionRecord).decode
_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode


def read_record(stored: bytes) -> SessionRecord:
    """The record of a session, of either version."""
    fields = _fields(stored)
    if "state" in fields:
        return _record(stored)
    state = {_NAMES[name]: value for name, value in fields.items() if name in _NAMES}
    return msgspec.structs.replace(_record(stored), state=state)
