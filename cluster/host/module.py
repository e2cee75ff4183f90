"""Modules: the declaration of an extension, and the types of its handlers.

A module is one file in cluster/modules with a `module` in it. It registers handlers with that; what a domain offers in
service discovery (XEP-0030) follows from them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, Literal, TypeVar

import msgspec

from cluster.host.hooks import Hook, HookHandler, MessageHook, PresenceHook
from cluster.host.state import AccountState, SessionState
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Nonza

AddressedTo = Literal["domain", "own", "account", "nobody", "stream"]
"""The addressee of an iq: the domain; the sender's own account; another account; a bare JID without an account; the
stream, before a login."""


@dataclass(frozen=True)
class Peer:
    """The other end of a stream without a login: the third argument of a handler for the stream."""

    address: str
    """Its IP address."""
    is_private: bool
    """What it sends cannot be read on the way: under TLS, or in a lab without TLS."""
    log_in: Callable[[str, str], Awaitable[None]]
    """Bind a localpart and a resourcepart to the stream. Raises StanzaError if they are not available."""


H = TypeVar("H")
T = TypeVar("T")
Context = TypeVar("Context")
"""What a module may use: of a server, or of a component, whose answers are modules too."""

IqHandler = Callable[Concatenate[Context, Stanza, ...], Stanza | Awaitable[Stanza]]
"""Answers a request with its reply, at once or later. Raises StanzaError to refuse it."""

NonzaHandler = Callable[[Context, Any, Nonza], None]
"""Handles an element between the stanzas of a session. Raises StreamError to end its stream."""

BindHandler = Callable[[Context, Any, Nonza], bytes]
"""Enables a feature for a session that is bound just now (XEP-0386), at once. Returns its part of `<bound/>`."""

Guard = Callable[[Context, Any, Stanza], None]
"""Gets an iq request to a full JID of the account before it is delivered. Raises StanzaError to refuse it."""

FeatureOffer = Callable[[Context], Element | None]
"""An element for the stream features (RFC 6120 section 4.3.2), None if it is not offered here."""

DiscoForm = Callable[[Context], Element | None]
"""A form for the service discovery of the domain (XEP-0128), None if there is none."""


class Identity(msgspec.Struct, frozen=True):
    """A disco identity of an address, in the words of the XMPP Registrar (XEP-0030 section 3.1)."""

    category: str
    type: str
    name: str = ""
    """For people."""


class Item(msgspec.Struct, frozen=True):
    """A disco item of an address (XEP-0030 section 4.1)."""

    jid: Jid
    node: str = ""
    name: str = ""
    """For people."""


DiscoItems = Callable[[Context, Any], Awaitable[Iterable[Item]]]
"""The items of a module for the domain (the argument is None), or for an account."""

AccountNodeInfo = Callable[[Context, Any, Stanza, str], Awaitable[Element]]
"""The `<query>` of a disco node of an account (XEP-0030 section 3.2), for who asks with this request. Raises
StanzaError, `item-not-found` for an unknown one."""
AccountNodeItems = Callable[[Context, Any, Stanza, str], Awaitable[Iterable[Item]]]
"""What is below a disco node of an account, or without a name, which nodes it has, in the same way (section 4.2)."""

When = Literal["before login", "before login in private", "after login"]
"""The step at which a stream feature is offered; in private: only if what the peer sends cannot be read on the way."""


class ForLater(msgspec.Struct, frozen=True):
    """A message for an account without an available resource."""

    stanza: Stanza
    goes_first: bool
    """It is older than all waiting messages: it was sent to a session that ended without getting it."""


class NewSession(msgspec.Struct, frozen=True):
    """A session that its client got together with its login (XEP-0386)."""

    session: Any
    answer: list[bytes]
    """The content of `<bound/>`."""


class IqKey(msgspec.Struct, frozen=True):
    """The key of an iq handler."""

    type: str
    payload: str
    """`namespace name`."""
    addressed_to: AddressedTo


class Module(Generic[Context]):
    """The declaration of one extension; it holds no state, so that many domains can share it."""

    def __init__(self, name: str, *, ns: str, xep: int | None = None, version: str = "") -> None:
        """`xep` and `version`: what is implemented; None for a part of the RFCs."""
        self.name = name
        self.ns = ns
        self.xep = xep
        self.version = version
        self.iq_handlers: dict[IqKey, IqHandler[Context]] = {}
        self.hooks: dict[Hook, HookHandler] = {}
        self.message_hooks: dict[MessageHook, Callable[..., Any]] = {}
        self.presence_hooks: dict[PresenceHook, Callable[..., Any]] = {}
        self.nonza_handlers: dict[str, NonzaHandler[Context]] = {}
        """By `namespace name`."""
        self.bind_handlers: dict[str, BindHandler[Context]] = {}
        """By `namespace name`."""
        self.features: set[str] = set()
        """Of the domain, for service discovery."""
        self.account_features: set[str] = set()
        """Of each account, for the account itself; beside the namespaces of what is handled for it."""
        self.contact_features: set[str] = set()
        """Of each account, for others who may see it; beside the namespaces of what is handled for them."""
        self.guards: dict[str, Guard[Context]] = {}
        """By payload: `namespace name`."""
        self.feature_offers: list[tuple[When, FeatureOffer[Context]]] = []
        self.identities: list[tuple[AddressedTo, Identity]] = []
        self.item_providers: list[tuple[AddressedTo, DiscoItems[Context]]] = []
        self.disco_form: DiscoForm[Context] | None = None
        self.disco_node: Callable[[Context], str] | None = None
        self.account_node_info: AccountNodeInfo[Context] | None = None
        self.account_node_items: AccountNodeItems[Context] | None = None
        self.session_states: list[SessionState[Any]] = []
        self.account_states: list[AccountState[Any]] = []

    def on_iq(
        self, type: Literal["get", "set"], name: str, *, ns: str = "", addressed_to: tuple[AddressedTo, ...]
    ) -> Callable[[IqHandler[Context]], IqHandler[Context]]:
        """Register the handler of this payload; its namespace becomes a disco feature."""
        namespace = ns or self.ns

        def register(handler: IqHandler[Context]) -> IqHandler[Context]:
            for address in addressed_to:
                key = IqKey(type, f"{namespace} {name}", address)
                if key in self.iq_handlers:
                    raise ValueError(f"module {self.name} handles {key} twice")
                self.iq_handlers[key] = handler
            self.features.add(namespace)
            return handler

        return register

    def on(self, hook: Hook) -> Callable[[HookHandler], HookHandler]:
        """Register the handler of a hook; the module's namespace becomes a disco feature."""
        return self._register(self.hooks, hook)

    def on_message(self, hook: MessageHook) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the handler of a message hook; the module's namespace becomes a disco feature."""
        return self._register(self.message_hooks, hook)

    def on_presence(self, hook: PresenceHook) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the handler of a point on the way of presence; the module's namespace becomes a disco feature."""
        return self._register(self.presence_hooks, hook)

    def _register(self, handlers: dict[H, T], hook: H) -> Callable[[T], T]:
        def register(handler: T) -> T:
            if hook in handlers:
                raise ValueError(f"module {self.name} hooks {hook} twice")
            handlers[hook] = handler
            self.features.add(self.ns)
            return handler

        return register

    def on_nonza(self, name: str) -> Callable[[NonzaHandler[Context]], NonzaHandler[Context]]:
        """Register the handler of this element of the module's namespace, which must be offered as a stream feature."""

        def register(handler: NonzaHandler[Context]) -> NonzaHandler[Context]:
            self.nonza_handlers[f"{self.ns} {name}"] = handler
            return handler

        return register

    def on_bind(self, name: str) -> Callable[[BindHandler[Context]], BindHandler[Context]]:
        """Register the handler of this element of the module's namespace in the request of a client to be bound
        (XEP-0386); the namespace is offered for that."""

        def register(handler: BindHandler[Context]) -> BindHandler[Context]:
            self.bind_handlers[f"{self.ns} {name}"] = handler
            return handler

        return register

    def guard(self, name: str) -> Callable[[Guard[Context]], Guard[Context]]:
        """Register the guard of requests with this payload to full JIDs."""

        def register(guard: Guard[Context]) -> Guard[Context]:
            self.guards[f"{self.ns} {name}"] = guard
            return guard

        return register

    def stream_feature(self, when: When) -> Callable[[FeatureOffer[Context]], FeatureOffer[Context]]:
        """Register a stream feature of this module."""

        def register(offer: FeatureOffer[Context]) -> FeatureOffer[Context]:
            self.feature_offers.append((when, offer))
            return offer

        return register

    def session_state(self, name: str, type: type[T], *, default: T) -> SessionState[T]:
        """Declare a value of each session; msgspec stores it as this type."""
        state = SessionState(f"{self.name} {name}", type, default)
        if any(each.name == state.name for each in self.session_states):
            raise ValueError(f"module {self.name} keeps {name} twice with a session")
        self.session_states.append(state)
        return state

    def account_state(
        self, *, read: Callable[[Element], T], write: Callable[[T], Element], default: T
    ) -> AccountState[T]:
        """Declare a value of each account, stored as the document of the module's namespace.

        `read` turns the document into the value, `write` the value into the document; the default has none.
        """
        if self.account_states:
            raise ValueError(f"module {self.name} declares the state of accounts twice")
        state = AccountState(self.ns, read, write, default)
        self.account_states.append(state)
        return state

    def identity(
        self, category: str, type: str, name: str = "", *, addressed_to: tuple[AddressedTo, ...] = ("domain",)
    ) -> None:
        """Declare an identity of the domain, or of each account: to itself (`own`) or to others (`account`)."""
        self.identities += [(address, Identity(category, type, name)) for address in addressed_to]

    def disco_items(
        self, *, addressed_to: tuple[AddressedTo, ...]
    ) -> Callable[[DiscoItems[Context]], DiscoItems[Context]]:
        """Register the disco items of the domain, or of an account: for itself (`own`) or for others (`account`).

        Only those who may see the account's presence get them (XEP-0030 section 8).
        """

        def register(items: DiscoItems[Context]) -> DiscoItems[Context]:
            self.item_providers += [(address, items) for address in addressed_to]
            return items

        return register

    def form(self, form: DiscoForm[Context]) -> DiscoForm[Context]:
        """Register a form of this module for the service discovery of the domain."""
        self.disco_form = form
        return form

    def node(self, node: Callable[[Context], str]) -> Callable[[Context], str]:
        """Register the name of a disco node that has the same information as the domain itself (XEP-0115 section
        6.2)."""
        self.disco_node = node
        return node

    def disco_info_of_nodes(self, info: AccountNodeInfo[Context]) -> AccountNodeInfo[Context]:
        """Register what the disco nodes of accounts say of themselves."""
        self.account_node_info = info
        return info

    def disco_items_of_nodes(self, items: AccountNodeItems[Context]) -> AccountNodeItems[Context]:
        """Register which disco nodes accounts have, and what is below each."""
        self.account_node_items = items
        return items
