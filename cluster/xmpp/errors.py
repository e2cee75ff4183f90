"""Stream errors (RFC 6120 section 4.9) and stanza errors (section 8.3), with the conditions' own names."""

from __future__ import annotations

from enum import StrEnum

from cluster.base.reasons import Reason
from cluster.xmpp.element import Element


class StreamCondition(StrEnum):
    """RFC 6120 section 4.9.3, all of them."""

    BAD_FORMAT = "bad-format"
    BAD_NAMESPACE_PREFIX = "bad-namespace-prefix"
    CONFLICT = "conflict"
    CONNECTION_TIMEOUT = "connection-timeout"
    HOST_GONE = "host-gone"
    HOST_UNKNOWN = "host-unknown"
    IMPROPER_ADDRESSING = "improper-addressing"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    INVALID_FROM = "invalid-from"
    INVALID_NAMESPACE = "invalid-namespace"
    INVALID_XML = "invalid-xml"
    NOT_AUTHORIZED = "not-authorized"
    NOT_WELL_FORMED = "not-well-formed"
    POLICY_VIOLATION = "policy-violation"
    REMOTE_CONNECTION_FAILED = "remote-connection-failed"
    RESET = "reset"
    RESOURCE_CONSTRAINT = "resource-constraint"
    RESTRICTED_XML = "restricted-xml"
    SEE_OTHER_HOST = "see-other-host"
    SYSTEM_SHUTDOWN = "system-shutdown"
    UNDEFINED_CONDITION = "undefined-condition"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_FEATURE = "unsupported-feature"
    UNSUPPORTED_STANZA_TYPE = "unsupported-stanza-type"
    UNSUPPORTED_VERSION = "unsupported-version"


class ErrorType(StrEnum):
    """RFC 6120 section 8.3.2: what the sender may do about the error."""

    AUTH = "auth"
    CANCEL = "cancel"
    CONTINUE = "continue"
    MODIFY = "modify"
    WAIT = "wait"


class Condition(StrEnum):
    """RFC 6120 section 8.3.3, all of them."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FEATURE_NOT_IMPLEMENTED = "feature-not-implemented"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    ITEM_NOT_FOUND = "item-not-found"
    JID_MALFORMED = "jid-malformed"
    NOT_ACCEPTABLE = "not-acceptable"
    NOT_ALLOWED = "not-allowed"
    NOT_AUTHORIZED = "not-authorized"
    POLICY_VIOLATION = "policy-violation"
    RECIPIENT_UNAVAILABLE = "recipient-unavailable"
    REDIRECT = "redirect"
    REGISTRATION_REQUIRED = "registration-required"
    REMOTE_SERVER_NOT_FOUND = "remote-server-not-found"
    REMOTE_SERVER_TIMEOUT = "remote-server-timeout"
    RESOURCE_CONSTRAINT = "resource-constraint"
    SERVICE_UNAVAILABLE = "service-unavailable"
    SUBSCRIPTION_REQUIRED = "subscription-required"
    UNDEFINED_CONDITION = "undefined-condition"
    UNEXPECTED_REQUEST = "unexpected-request"


_USUAL_TYPE = {
    Condition.BAD_REQUEST: ErrorType.MODIFY,
    Condition.FORBIDDEN: ErrorType.AUTH,
    Condition.JID_MALFORMED: ErrorType.MODIFY,
    Condition.NOT_ACCEPTABLE: ErrorType.MODIFY,
    Condition.NOT_AUTHORIZED: ErrorType.AUTH,
    Condition.POLICY_VIOLATION: ErrorType.MODIFY,
    Condition.RECIPIENT_UNAVAILABLE: ErrorType.WAIT,
    Condition.REDIRECT: ErrorType.MODIFY,
    Condition.REGISTRATION_REQUIRED: ErrorType.AUTH,
    Condition.REMOTE_SERVER_TIMEOUT: ErrorType.WAIT,
    Condition.RESOURCE_CONSTRAINT: ErrorType.WAIT,
    Condition.SUBSCRIPTION_REQUIRED: ErrorType.AUTH,
    Condition.UNEXPECTED_REQUEST: ErrorType.WAIT,
}
"""The type that RFC 6120 section 8.3.3 gives for each condition; cancel for all others."""


class StanzaError(Exception):
    """A stanza is refused: the sender gets an error stanza (RFC 6120 section 8.3) and the stream continues.

    `type` defaults to that of the RFC for the condition; `detail` is an application-specific condition in addition to
    it (section 8.3.4), or its `{namespace}name` if it is empty. `cause` is for the operator only: what the sender must
    not learn, such as that it is blocked. `reason` is for `xmpplab why` only, too. `by`: the address that refuses, if
    it is not the stanza's receiver.
    """

    by = ""

    def __init__(
        self,
        condition: Condition,
        text: str = "",
        type: ErrorType | None = None,
        detail: str | Element = "",
        cause: str = "",
        reason: Reason | None = None,
    ) -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text
        self.type = type or _USUAL_TYPE.get(condition, ErrorType.CANCEL)
        self.detail = detail
        self.cause = cause
        self.reason = reason

    @property
    def with_cause(self) -> str:
        """For the operator: `service-unavailable (no such account)`."""
        return f"{self} ({self.cause})" if self.cause else str(self)


class StreamError(Exception):
    """A stream is refused: the peer gets the condition (RFC 6120 section 4.9) and the stream is closed.

    `detail` is an application-specific condition in addition to it (section 4.9.4).
    """

    def __init__(self, condition: StreamCondition, text: str = "", detail: Element | None = None) -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text
        self.detail = detail
