"""Sessions that an earlier version stored are read as if this one had."""

from __future__ import annotations

import msgspec

from cluster import modules
from cluster.host.state import from_store
from cluster.store.former_sessions import read_record
from cluster.store.session import SessionRecord
from cluster.xmpp.jid import Jid

KEYS = [key for module in modules.load(modules.names()) for key in module.session_states]
FIELDS = {
    "id": "one", "jid": ["romeo", "montague.lit", "pda"], "timeout_s": 300.0, "broken_utc_s": 1.5, "presence": None,
    "farewell": None, "priority": -1,
}  # fmt: skip


def test_what_had_a_field_of_its_own() -> None:
    former = {"interested": True, "follows_blocks": True, "carbons": True, "inactive": True}
    for name, value in former.items():
        stored = {**FIELDS, **dict.fromkeys(former, False), name: value}
        state = from_store(KEYS, read_record(msgspec.msgpack.encode(stored)).state)
        assert [key.name for key, kept in state.items() if kept] == [
            {
                "interested": "roster interested", "follows_blocks": "blocking follows", "carbons": "carbons wants",
                "inactive": "csi inactive",
            }[name]
        ]  # fmt: skip


def test_all_else_is_as_it_was() -> None:
    record = read_record(msgspec.msgpack.encode(FIELDS))
    assert record == SessionRecord("one", Jid.parse("romeo@montague.lit/pda"), 300.0, 1.5, None, None, -1)


def test_what_this_version_stores() -> None:
    state = {"carbons wants": msgspec.Raw(msgspec.msgpack.encode(True)), "of a later version": msgspec.Raw(b"\x07")}
    record = SessionRecord("one", Jid.parse("romeo@montague.lit/pda"), 300.0, state=state)
    assert read_record(msgspec.msgpack.encode(record)) == record
