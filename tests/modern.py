"""A client that logs in with the extensible SASL profile (XEP-0388)."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import FAST, SASL2, STREAMS
from cluster.xmpp.streams import hashed_token, sasl
from tests.network import PASSWORD, Network
from tests.phone import Phone

AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
OTHER_AGENT = "0f1e2d3c-4b5a-4678-9abc-def012345678"
BINDINGS = {sasl.EXPORTER: b"exported", sasl.END_POINT: b"certificate"}


class Modern(Phone):
    """Speaks as it is told, on a stream that is secure."""

    def __init__(self, network: Network, jid: str, bindings: Mapping[str, bytes] = BINDINGS, at: str = "") -> None:
        account = network.account(jid)
        super().__init__(network.servers[at or account.domainpart].streams, account)
        self.network = network
        self.bindings = bindings
        network.add(self)
        self._protocol._stream.tls_started(bindings)
        network.say(self, self._header)

    def say(self, said: str) -> list[Element]:
        """What comes of it."""
        seen = len(self.got)
        self.network.say(self, said)
        return self.got[seen:]

    def log_in(self, *inline: str, agent: str = AGENT, password: str = PASSWORD) -> list[Element]:  # type: ignore[override]
        """By password."""
        initial = sasl.encode(f"\0{self.jid.localpart}\0{password}")
        return self.say(authenticate("PLAIN", initial, *inline, agent=agent))

    def use(
        self, token: str, *inline: str, agent: str = AGENT, mechanism: str = hashed_token.NONE, fast: str = ""
    ) -> list[Element]:
        """By token; `fast`: attributes of that element."""
        hashed = hashed_token.initiator(token, hashed_token.binding_of(mechanism, self.bindings))
        initial = sasl.encode(self.jid.localpart.encode() + b"\0" + hashed)
        return self.say(authenticate(mechanism, initial, f"<fast xmlns='{FAST}' {fast}/>", *inline, agent=agent))


def authenticate(mechanism: str, initial: str, *inline: str, agent: str = AGENT) -> str:
    """`agent`: its id; none if it is empty."""
    about = f"<user-agent id='{agent}'><software>Test</software></user-agent>" if agent else ""
    response = f"<initial-response>{initial}</initial-response>"
    return f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{response}{about}{''.join(inline)}</authenticate>"


def is_success(answer: list[Element]) -> bool:
    """Followed by features (section 2.6.1)."""
    tags = [each.tag for each in answer]
    return tags == [f"{{{SASL2}}}success", f"{{{STREAMS}}}features"]


def identity(answer: list[Element]) -> Jid:
    """Who the client is now."""
    assert answer
    assert answer[0].tag == f"{{{SASL2}}}success", answer
    return Jid.parse(answer[0].findtext(f"{{{SASL2}}}authorization-identifier") or "")


def condition(answer: list[Element]) -> str:
    """Why a login failed."""
    [failure] = answer
    assert failure.tag == f"{{{SASL2}}}failure"
    return failure[0].tag.partition("}")[2]


def token_of(answer: list[Element]) -> str:
    """The token that came with a login; empty if none did."""
    identity(answer)
    token = answer[0].find(f"{{{FAST}}}token")
    return "" if token is None else token.get("token", "")
