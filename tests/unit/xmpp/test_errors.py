"""The conditions of RFC 6120, and the types that go with them."""

from __future__ import annotations

import pytest

from cluster.xmpp.errors import Condition, ErrorType, StanzaError, StreamCondition, StreamError

# RFC 6120 section 8.3.3: "the associated error type SHOULD be …"
TYPES = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "gone": "cancel",
    "internal-server-error": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "policy-violation": "modify",
    "recipient-unavailable": "wait",
    "redirect": "modify",
    "registration-required": "auth",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "subscription-required": "auth",
    "undefined-condition": "cancel",
    "unexpected-request": "wait",
}


def test_usual_types() -> None:
    assert {condition: StanzaError(condition).type for condition in Condition} == TYPES


def test_a_type_of_ones_own() -> None:
    assert StanzaError(Condition.RESOURCE_CONSTRAINT, type=ErrorType.CANCEL).type == ErrorType.CANCEL


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StanzaError(Condition.GONE), "gone"),
        (StanzaError(Condition.GONE, "long ago"), "gone: long ago"),
        (StreamError(StreamCondition.RESET), "reset"),
        (StreamError(StreamCondition.RESET, "new features"), "reset: new features"),
    ],
)
def test_what_a_log_shows(error: Exception, text: str) -> None:
    assert str(error) == text


def test_constants_are_the_rfcs_words() -> None:
    for condition in [*Condition, *StreamCondition]:
        assert condition.name == condition.value.replace("-", "_").upper()
