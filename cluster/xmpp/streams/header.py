"""Stream headers (RFC 6120 section 4.7): the check of the initiating side's, and the answer."""

from __future__ import annotations

from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.parser import StreamHeader
from cluster.xmpp.quoting import quoteattr


def check(header: StreamHeader, domain: str, content_namespace: str = CLIENT) -> None:
    """Raises StreamError for a header that is not for a stream of this kind with this domain."""
    if header.content_namespace != content_namespace:
        raise StreamError(StreamCondition.INVALID_NAMESPACE, f"the content namespace here is {content_namespace}")
    if header.to is not None and _domain(header.to) != domain:  # section 4.7.2: old clients do not say `to`
        raise StreamError(StreamCondition.HOST_UNKNOWN, f"to={header.to!r} is not {domain}")
    if header.version is None or header.version.partition(".")[0].lstrip("0") != "1":
        # RFC 6120 section 4.7.5: a peer of before XMPP 1.0 knows no stream features
        raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "this server speaks XMPP 1.0")


def _domain(to: str) -> str:
    try:
        return Jid.parse(to).domainpart
    except JidError:
        return ""


def sender(header: StreamHeader | None) -> Jid | None:
    """The sender that the client claims; None if it claims none, or an invalid one."""
    if header is None or header.from_ is None:
        return None
    try:
        return Jid.parse(header.from_).bare
    except JidError:
        return None


def answer(header: StreamHeader | None, domain: str, stream_id: str, content_namespace: str = CLIENT) -> bytes:
    """The server's header; the client's is None if it sent no valid one."""
    # sections 4.7.2 and 4.7.5: no `to` and no version for a peer that sent none
    version = "" if header is not None and header.version is None else " version='1.0'"
    from_ = sender(header)
    to = f" to={quoteattr(str(from_))}" if from_ is not None else ""
    return (
        f"<?xml version='1.0'?><stream:stream from='{domain}'{to} "
        f"id='{stream_id}'{version} xml:lang='en' xmlns='{content_namespace}' xmlns:stream='{STREAMS}'>"
    ).encode()
