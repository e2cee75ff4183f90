"""`xmpplab`: the lab's own server, whose links may run through Redis."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le
from typing_extensions import override

from cluster.kinds.base.key import Key
from cluster.kinds.base.server import PORTS, REGISTRATION, TLS, Port, ServerNode
from cluster.kinds.base.values import AccountJid
from cluster.store.limits import DEFAULTS, Limit, Limits

MAX_NODES = 16
"""Of one server: as many processes as a desktop machine has cores, and enough to see what happens between them."""

_Count = Annotated[int, Ge(0)]
_RETURNED = "further ones return to their senders."
_HTTP_PORT = Key(
    "http_port",
    Port,
    "TCP port for clients on the web: WebSockets (RFC 7395) and their discovery (XEP-0156), under TLS; with `tls: off` "
    "without.",
    5281,
)


class XmpplabServer(ServerNode, frozen=True, kw_only=True, tag_field="kind", tag="xmpplab"):
    """One node of the lab's own server; a domain may have several."""

    modules: tuple[str, ...] = ()
    """Files of cluster/modules to load."""
    registrations_per_minute: int = 0
    """From one address; 0: any number."""
    limits: Limits = Limits()
    """The limits of what is stored for one account."""
    strict: bool = False
    """Mistakes of old clients are refused."""
    anonymous: bool = False
    """SASL ANONYMOUS is offered."""
    admin: str = ""
    """The operator's account; empty if the topology names none."""
    http_port: int = 5281
    isolate: bool = False
    """It shares its process with no other server."""
    shares: str = ""
    """The node in whose process it runs; empty: it has a process, in which others may run too."""

    about = "The lab's own server, which serves one domain: its stanzas can be followed, and its links have faults."
    settings = (
        TLS,
        REGISTRATION,
        Key(
            "registrations_per_minute",
            _Count,
            "How many accounts clients may try to create per minute from one address; 0: any number. The default is "
            "about the number for which one core can derive keys.",
            6000,
        ),
        Key(
            "strict",
            bool,
            "Whether the server refuses mistakes of old clients: an iq without an id, a stream `from` that is not the "
            "account of the login. To test clients; otherwise it accepts them, as other servers do, and records them.",
            False,
        ),
        Key(
            "anonymous",
            bool,
            "Whether clients may log in without an account (SASL ANONYMOUS, XEP-0175); their address ends with the "
            "session.",
            False,
        ),
        Key(
            "admin",
            AccountJid | None,
            "The operator's account, which clients are told on request (XEP-0157). Without it they are told of nobody.",
            None,
        ),
        Key(
            "offline_messages",
            _Count,
            f"How many messages wait for an account without an available resource (XEP-0160); {_RETURNED} 0: none.",
            DEFAULTS.offline.count,
        ),
        Key(
            "offline_bytes",
            _Count,
            f"How many bytes of messages wait for an account; {_RETURNED}",
            DEFAULTS.offline.size_bytes,
        ),
        Key(
            "offline_total_bytes",
            _Count,
            f"How many bytes of messages wait for all accounts of the domain together; {_RETURNED}",
            DEFAULTS.offline_total_bytes,
        ),
        Key(
            "roster_bytes",
            _Count,
            "How many bytes an account's contacts may have together, with their names and groups.",
            DEFAULTS.roster.size_bytes,
        ),
        Key(
            "archive_bytes",
            _Count,
            "How many bytes of messages an account's archive keeps (XEP-0313); beyond it, the oldest are removed.",
            DEFAULTS.archive.size_bytes,
        ),
        Key(
            "private_bytes",
            _Count,
            "How many bytes of private XML (XEP-0049) an account may store, together with its vCard and its lists.",
            DEFAULTS.private.size_bytes,
        ),
        Key(
            "pubsub_bytes",
            _Count,
            "How many bytes of items the nodes of an account may have together (XEP-0163): avatars, bookmarks, keys.",
            DEFAULTS.pubsub.size_bytes,
        ),
        Key(
            "modules",
            list[str] | None,
            "The server modules to load, by the names of their files; `[]` for none. Without this key, or without a "
            "value: all except `legacy_auth`.",
            None,
        ),
        *PORTS,
        _HTTP_PORT,
    )
    keys = (
        Key(
            "nodes",
            Annotated[int, Ge(1), Le(MAX_NODES)],
            "How many processes serve the domain together. Clients may connect to any of them: the second node of `s1` "
            "is `s1-2`. `xmpplab scale` changes the number while the lab is running.",
            1,
        ),
        Key(
            "isolate",
            bool,
            "Whether the server has a process of its own where others share one (`processes`), so that `kill` and "
            "`pause` concern it alone.",
            False,
        ),
    )

    @override
    @classmethod
    def fields(cls, written: dict[str, Any]) -> dict[str, Any]:
        same = ("registrations_per_minute", "strict", "anonymous", "modules", "http_port")
        common = {key.name: written[key.name] for key in ServerNode.settings}
        own = {key: written[key] for key in same}
        return {**super().fields(common), **own, "admin": written["admin"] or "", "limits": _limits(written)}

    @property
    def speaks_for(self) -> str:
        """The name of its Redis user."""
        return self.domain

    @property
    def channel(self) -> str:
        """The name of its control channel and of its links: the domain, or `domain/node` for a further node."""
        return f"{self.domain}/{self.name}" if self.node_of else self.domain


def _limits(written: dict[str, Any]) -> Limits:
    return Limits(
        offline=Limit(written["offline_messages"], written["offline_bytes"]),
        offline_total_bytes=written["offline_total_bytes"],
        roster=Limit(DEFAULTS.roster.count, written["roster_bytes"]),
        archive=Limit(DEFAULTS.archive.count, written["archive_bytes"]),
        private=Limit(DEFAULTS.private.count, written["private_bytes"]),
        pubsub=Limit(DEFAULTS.pubsub.count, written["pubsub_bytes"]),
    )


kind = XmpplabServer
USUAL = str(XmpplabServer.__struct_config__.tag)
"""The kind of a server that names none."""
