"""`pubsub`: publish-subscribe (XEP-0060) on a subdomain of a server."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from cluster.kinds.base.key import Key
from cluster.kinds.base.service import ServiceKind

service = ServiceKind(
    "pubsub",
    "Publish-subscribe (XEP-0060): `{domain: pubsub.montague.lit}`, or the domain alone.",
    "pubsub",
    (
        Key(
            "creation",
            Literal["anyone", "local", "nobody"],
            "Who may create nodes: `anyone`, accounts of the server's own domain only, or `nobody`.",
            "local",
        ),
        Key("bytes", Annotated[int, Ge(0)], "How many bytes of items all its nodes keep together.", 256 << 20),
    ),
)
