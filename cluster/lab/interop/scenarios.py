"""The scenarios between two servers; each goes from `here` to `there`, and names the rule that it tests."""

from __future__ import annotations

from cluster.lab.interop import calm, disturbing
from cluster.lab.interop.sides import Scenario

SCENARIOS = (
    Scenario("messages", f"{calm.MANY:,} messages each way arrive in order (RFC 6120 section 10.1)", calm.messages),
    Scenario("presence", "contacts see each other come and go (RFC 6121 sections 4.2 to 4.5)", calm.presence),
    Scenario("subscription", "strangers become contacts, to `both` (RFC 6121 section 3.1)", calm.subscription),
    Scenario(
        "queries", "disco#info, ping and version of the other domain (XEP-0030, XEP-0199, XEP-0092)", calm.queries
    ),
    Scenario(
        "errors",
        "an unknown account and an unknown domain (RFC 6121 section 8.5.1, RFC 6120 section 8.3.3)",
        calm.errors,
    ),
    Scenario("offline", "a message waits for who is away, and says since when (XEP-0160, XEP-0203)", calm.offline),
    Scenario("PEP", "a contact hears what the other one publishes (XEP-0163 section 4.3, XEP-0115)", calm.eventing),
    Scenario("rooms", "a room of the other server, joined and spoken in (XEP-0045 sections 7.2 and 7.4)", calm.rooms),
    Scenario(
        "size",
        f"{disturbing.BIG:,} characters arrive, {disturbing.TOO_BIG:,} are refused (RFC 6120 section 13.12)",
        disturbing.size,
    ),
    Scenario("loss", "contacts hear that sessions end with their server (RFC 6121 section 4.5.2)", disturbing.loss),
    Scenario(
        "restart",
        "while the other server restarts, each message arrives or returns (RFC 6120 sections 8.3 and 10.4)",
        disturbing.restart,
    ),
)
"""In the order of the grid; those that disturb the servers are last."""
