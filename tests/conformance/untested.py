"""Rules of a server that no test proves: why each is not kept, or cannot be broken here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.conformance.rules import Level, Rule

_NO_EXTERNAL = "clients have no certificates here, so EXTERNAL is not on offer"
_OPERATOR = "an operator's limit; the lab has none by design, load is what it is for"


@dataclass(frozen=True)
class Untested:
    """One of them."""

    rule: Rule
    reason: str
    state: Literal["does not arise", "**not kept**"]


def _core(section: str, level: Level, text: str, reason: str, *, kept: bool = True) -> Untested:
    return Untested(Rule("RFC 6120", section, level, text), reason, "does not arise" if kept else "**not kept**")


def _im(section: str, level: Level, text: str, reason: str, *, kept: bool = True) -> Untested:
    return Untested(Rule("RFC 6121", section, level, text), reason, "does not arise" if kept else "**not kept**")


UNTESTED = [
    _core("4.9.3.19", "SHOULD NOT", "see-other-host is not sent before the stream is protected.", "it is never sent"),
    _core("4.9.3.21", "SHOULD NOT", "undefined-condition is not used alone.", "it is never sent"),
    _core("5.4.3.1", "SHOULD", "The server asks the client for a certificate.", _NO_EXTERNAL, kept=False),
    _core("5.4.3.1", "MUST", "A certificate that the client presents is validated.", _NO_EXTERNAL),
    _core("6.3.4", "SHOULD", "EXTERNAL is offered to who has a certificate, first in the list.", _NO_EXTERNAL),
    _core("6.3.6", "MUST", "After a SASL security layer application state is discarded.", "no mechanism has one"),
    _core("13.8.2", "MUST", "TLS_RSA_WITH_AES_128_CBC_SHA is supported.",
          "RFC 9325 section 4.1 forbids its key exchange today; TLS 1.2 and 1.3 with their modern suites", kept=False),
    _core("13.9.4", "SHOULD", "Minimal criteria for the strength of passwords are enforced.",
          "a lab's passwords are known to all", kept=False),
    _core("13.12", "SHOULD", "TCP connections, and attempts, of one IP address can be limited.", _OPERATOR, kept=False),
    _core("13.12", "SHOULD", "The bandwidth of a client can be limited.", _OPERATOR, kept=False),
    _im("2.1.4", "MUST", "Where there is no roster the answer is item-not-found.", "every account has one"),
    _im("A.3.2", "SHOULD", "unsubscribe is answered with unsubscribed.",
          "no client can see it; an answer that comes late would end a request that was made anew", kept=False),
    _im("4.3.2", "SHOULD", "A contact that has moved is answered with gone or redirect.", "accounts do not move here"),
    _im("4.7.2.3", "MUST", "A priority that the server overrides is told to all.", "it overrides none"),
]  # fmt: skip
