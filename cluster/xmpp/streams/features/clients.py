"""The streams of clients (RFC 6120 section 7, RFC 6121)."""

from __future__ import annotations

from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.streams.feature import StreamKind
from cluster.xmpp.streams.features.authentication import SASL_LOGIN
from cluster.xmpp.streams.features.binding import BINDING
from cluster.xmpp.streams.features.extensions import EXTENSIONS
from cluster.xmpp.streams.features.requests import REQUESTS
from cluster.xmpp.streams.features.resumption import RESUMPTION
from cluster.xmpp.streams.features.sasl2 import SASL2_LOGIN
from cluster.xmpp.streams.features.starttls import STARTTLS

CLIENTS = StreamKind(CLIENT, (STARTTLS, REQUESTS, SASL2_LOGIN, SASL_LOGIN, RESUMPTION, BINDING, EXTENSIONS))
