"""What the page asks for: one struct a request, with the command that does the same and what carries it out.

They come as JSON, with the name of the request under `do`. Answers are what the facade returns.
"""

from __future__ import annotations

import msgspec

from cluster.web.requests import accounts, chats, lab, links, nodes, stanzas, time
from cluster.web.requests.ask import Ask, command_of

__all__ = ["Ask", "command_of", "read"]

AnyAsk = (
    nodes.Look | nodes.Act | nodes.Scale | nodes.Log
    | links.FaultSet | links.FaultClear | links.NetworkLs | links.NetworkSet | links.NetworkClear
    | stanzas.Why | stanzas.Recorded | time.Past | time.Moment
    | accounts.People | accounts.UserAdd | accounts.UserPasswd | accounts.UserDel
    | accounts.Sessions | accounts.SessionEnd | accounts.Roster | accounts.RosterAdd | accounts.RosterRemove
    | accounts.Search | lab.Whole | lab.Rooms | lab.Certificates | lab.Settings
    | chats.ChatOpen | chats.ChatLs | chats.ChatSay | chats.ChatXml | chats.ChatClose
)  # fmt: skip
read = msgspec.json.Decoder(AnyAsk).decode
"""The request in a JSON document. Raises msgspec.DecodeError."""
