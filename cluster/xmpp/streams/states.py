"""All transitions of a stream's negotiation, for the receiving entity (RFC 6120 section 4.3 to 7).

Others are refused. The file knows nothing of bytes, and `docs/architecture.md` draws it.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a stream."""

    OPENING = "opening"
    """Waits for the peer's stream header: the first one, or that of a restart."""
    NEGOTIATING = "negotiating"
    """Features are sent; the peer is not authenticated."""
    SECURING = "securing"
    """`<proceed/>` is sent; TLS begins."""
    AUTHENTICATING = "authenticating"
    """A SASL exchange is under way."""
    AUTHENTICATING_INLINE = "authenticating inline"
    """An exchange of the extensible SASL profile (XEP-0388) is under way, or what came with it is done."""
    AUTHENTICATED = "authenticated"
    """The peer is authenticated; waits for the header of the restarted stream."""
    BINDING = "binding"
    """The peer is authenticated, and features are sent; it must bind a resource."""
    BOUND = "bound"
    """Stanzas flow."""
    CLOSED = "closed"


class Input(StrEnum):
    """The inputs: elements of the peer, and decisions of the server."""

    HEADER = "stream header"
    STARTTLS = "starttls"
    AUTH = "auth"
    RESPONSE = "response"
    ABORT = "abort"
    AUTHENTICATE = "authenticate"
    RESPONSE_INLINE = "response inline"
    ABORT_INLINE = "abort inline"
    IQ = "iq"
    END = "stream end"
    TLS_STARTED = "tls started"
    LOGIN_ACCEPTED = "login accepted"
    LOGIN_REFUSED = "login refused"
    RESOURCE_BOUND = "resource bound"
    STREAM_RESUMED = "stream resumed"
    LOGIN_BY_IQ = "login by iq"


TRANSITIONS: dict[State, dict[Input, State]] = {
    State.OPENING: {
        Input.TLS_STARTED: State.OPENING,  # direct TLS (XEP-0368)
        Input.HEADER: State.NEGOTIATING,
    },
    State.NEGOTIATING: {
        Input.STARTTLS: State.SECURING,
        Input.AUTH: State.AUTHENTICATING,
        Input.AUTHENTICATE: State.AUTHENTICATING_INLINE,
        Input.IQ: State.NEGOTIATING,  # in-band registration (XEP-0077)
        Input.LOGIN_BY_IQ: State.BOUND,  # jabber:iq:auth (XEP-0078): no restart, no resource binding
        Input.END: State.CLOSED,
    },
    State.SECURING: {Input.TLS_STARTED: State.OPENING},
    State.AUTHENTICATING: {
        Input.AUTH: State.AUTHENTICATING,  # instead of the pending exchange (RFC 6120 section 6.4.2)
        Input.RESPONSE: State.AUTHENTICATING,
        Input.ABORT: State.NEGOTIATING,
        Input.LOGIN_REFUSED: State.NEGOTIATING,
        Input.LOGIN_ACCEPTED: State.AUTHENTICATED,
        Input.END: State.CLOSED,
    },
    State.AUTHENTICATING_INLINE: {
        Input.RESPONSE_INLINE: State.AUTHENTICATING_INLINE,
        Input.ABORT_INLINE: State.NEGOTIATING,
        Input.LOGIN_REFUSED: State.NEGOTIATING,
        Input.LOGIN_ACCEPTED: State.BINDING,  # without a restart
        Input.END: State.CLOSED,
    },
    State.AUTHENTICATED: {Input.HEADER: State.BINDING},
    State.BINDING: {
        Input.IQ: State.BINDING,
        Input.RESOURCE_BOUND: State.BOUND,
        Input.STREAM_RESUMED: State.BOUND,  # XEP-0198: with the resource of the former stream
        Input.END: State.CLOSED,
    },
    State.BOUND: {Input.END: State.CLOSED},
    State.CLOSED: {},
}
