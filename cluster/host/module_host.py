"""The modules of one domain: their handlers, and the service discovery that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic

from twisted.internet.defer import Deferred

from cluster.host.hooks import Hook, HookHandler, MessageHook, PresenceHook
from cluster.host.module import (
    AccountNodeInfo,
    AccountNodeItems,
    AddressedTo,
    BindHandler,
    Context,
    Guard,
    Identity,
    IqHandler,
    IqKey,
    Item,
    Module,
    NonzaHandler,
    When,
)
from cluster.host.state import AccountWithState
from cluster.xmpp.element import Element


class ModuleHost(Generic[Context]):
    """The modules of one domain, by what they handle. Two modules for the same request are an error at start-up."""

    def __init__(self, modules: Sequence[Module[Context]]) -> None:
        self.modules = modules
        self.features: set[str] = set()
        """Of the domain, for service discovery."""
        self._features_of: dict[AddressedTo, set[str]] = {}
        self._guards: dict[str, Guard[Context]] = {}
        self._iq_handlers: dict[IqKey, IqHandler[Context]] = {}
        self._hooks: dict[Hook, list[HookHandler]] = {}
        self._nonza_handlers: dict[str, NonzaHandler[Context]] = {}
        self._bind_handlers: dict[str, BindHandler[Context]] = {}
        self.session_states = tuple(state for module in modules for state in module.session_states)
        self._account_states = tuple(state for module in modules for state in module.account_states)
        self.documents = tuple(state.document for state in self._account_states)
        """The names of those in which modules keep something of an account."""
        owners: dict[IqKey, str] = {}
        for module in modules:
            self.features |= module.features
            for key, handler in module.iq_handlers.items():
                if key in owners:
                    raise ValueError(
                        f"modules {owners[key]} and {module.name} both handle {key}; leave one of them out"
                    )
                owners[key] = module.name
                self._iq_handlers[key] = handler
                self._features_of.setdefault(key.addressed_to, set()).add(key.payload.partition(" ")[0])
            self._features_of.setdefault("own", set()).update(module.account_features)
            self._features_of.setdefault("account", set()).update(module.contact_features)
            self._guards |= module.guards
            self._nonza_handlers |= module.nonza_handlers
            self._bind_handlers |= module.bind_handlers
            for hook, action in module.hooks.items():
                self._hooks.setdefault(hook, []).append(action)

    def iq_handler(self, type: str, payload: str, addressed_to: AddressedTo) -> IqHandler[Context] | None:
        """The handler of a request, or None."""
        return self._iq_handlers.get(IqKey(type, payload, addressed_to))

    def features_of(self, addressed_to: AddressedTo) -> set[str]:
        """The namespaces of the handlers for this kind of address."""
        return self._features_of.get(addressed_to, set())

    async def load(self, ctx: Context, account: AccountWithState, documents: Sequence[bytes | None]) -> None:
        """Load the state of modules for an account out of its `documents`."""
        for state, document in zip(self._account_states, documents, strict=True):
            state.load(account, document)
        await self._run("load", ctx, account, None)

    def identities(self, addressed_to: AddressedTo) -> list[Identity]:
        """The identities of this kind of address, in the order of the modules' names."""
        declared = [each for module in self.modules for each in module.identities]
        return [identity for address, identity in declared if address == addressed_to]

    async def items(self, ctx: Context, addressed_to: AddressedTo, account: Any = None) -> list[Item]:
        """The items of the domain, or of this account, in the order of the modules' names."""
        declared = [each for module in self.modules for each in module.item_providers]
        return [item for address, items in declared if address == addressed_to for item in await items(ctx, account)]

    def run(self, hook: Hook, ctx: Context, account: Any, about: object) -> Deferred[bool]:
        """Call the handlers of a hook, one after the other, until one returns True; whether one did."""
        return Deferred.fromCoroutine(self._run(hook, ctx, account, about))

    async def _run(self, hook: Hook, ctx: Context, account: Any, about: object) -> bool:
        for handler in self._hooks.get(hook, ()):
            if await handler(ctx, account, about):
                return True
        return False

    def message_hook(self, hook: MessageHook) -> tuple[Callable[..., Any], ...]:
        """The handlers of a message hook."""
        return tuple(module.message_hooks[hook] for module in self.modules if hook in module.message_hooks)

    def presence_hook(self, hook: PresenceHook) -> tuple[Callable[..., Any], ...]:
        """The handlers of a point on the way of presence."""
        return tuple(module.presence_hooks[hook] for module in self.modules if hook in module.presence_hooks)

    def presence_filters(self) -> tuple[Callable[..., bool], ...]:
        """The `concerns` handlers of the modules that handle presence for accounts."""
        listening = [
            module.presence_hooks for module in self.modules if {"received", "gone"} & {*module.presence_hooks}
        ]
        return tuple(hooks.get("concerns", lambda *about: True) for hooks in listening)

    def nonza_handler(self, name: str) -> NonzaHandler[Context] | None:
        """The handler of this element, or None."""
        return self._nonza_handlers.get(name)

    def bind_handler(self, name: str) -> BindHandler[Context] | None:
        """The handler of this element in the request to be bound, or None."""
        return self._bind_handlers.get(name)

    @property
    def bind_features(self) -> tuple[str, ...]:
        """The namespaces of those handlers, in the order of the modules' names."""
        return tuple(dict.fromkeys(name.partition(" ")[0] for name in self._bind_handlers))

    def guard(self, payload: str) -> Guard[Context] | None:
        """The guard of requests to full JIDs with this payload, or None."""
        return self._guards.get(payload)

    def stream_features(self, ctx: Context, when: When) -> tuple[Element, ...]:
        """The features of modules at this step of the negotiation."""
        offers = [offer for module in self.modules for at, offer in module.feature_offers if at == when]
        return tuple(element for offer in offers if (element := offer(ctx)) is not None)

    def forms(self, ctx: Context) -> list[Element]:
        """The forms of modules for the domain (XEP-0128)."""
        forms = [module.disco_form(ctx) for module in self.modules if module.disco_form is not None]
        return [form for form in forms if form is not None]

    @property
    def account_node_info(self) -> list[AccountNodeInfo[Context]]:
        """The handlers of disco info for nodes of accounts."""
        return [module.account_node_info for module in self.modules if module.account_node_info is not None]

    @property
    def account_node_items(self) -> list[AccountNodeItems[Context]]:
        """The handlers of disco items for nodes of accounts."""
        return [module.account_node_items for module in self.modules if module.account_node_items is not None]

    def disco_nodes(self, ctx: Context) -> list[str]:
        """The disco nodes that have the same information as the domain itself."""
        return [module.disco_node(ctx) for module in self.modules if module.disco_node is not None]
