"""The streams of clients (RFC 6120 section 7, RFC 6121)."""

from __future__ import annotations

from cluster.xmpp.feature import StreamKind
from cluster.xmpp.features.authentication import SASL_LOGIN
from cluster.xmpp.features.binding import BINDING
from cluster.xmpp.features.extensions import EXTENSIONS
from cluster.xmpp.features.requests import REQUESTS
from cluster.xmpp.features.resumption import RESUMPTION
from cluster.xmpp.features.starttls import STARTTLS
from cluster.xmpp.namespaces import CLIENT

CLIENTS = StreamKind(CLIENT, (STARTTLS, REQUESTS, SASL_LOGIN, RESUMPTION, BINDING, EXTENSIONS))
