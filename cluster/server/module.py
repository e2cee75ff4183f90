"""Modules: how an extension declares itself, and all that it may touch of a server.

A module is one file in cluster/modules with a `module` in it. It registers handlers on that; what a domain offers
in service discovery (XEP-0030) follows from what is registered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from cluster.xmpp.element import Element
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.server.context import ModuleContext

AddressedTo = Literal["domain", "own", "account", "stream"]
"""Who an iq is for: the domain; the sender's own account; somebody else's account; the stream, before a login."""

IqHandler = Callable[["ModuleContext", Stanza], Stanza | Awaitable[Stanza]]
"""Answers a request with its reply, at once or later. Raises StanzaError to refuse it."""

Hook = Literal["available", "store"]
"""Points where a module may act; the handlers of one hook run in the order of the modules' names.

available: a session became willing to take messages (its priority is not negative); handler(ctx, account, session)
store: nobody is there for a message; handler(ctx, account, stanza), True where it is kept now
"""

HookHandler = Callable[..., Awaitable[bool]]
"""Takes the context, the account, and what the hook says. The first that says True ends the hook."""


class IqKey(msgspec.Struct, frozen=True):
    """What an iq handler is chosen by."""

    type: str
    payload: str
    """`namespace name`."""
    addressed_to: AddressedTo


class Module:
    """The declaration of one extension; it holds no state, so that many domains can share it."""

    def __init__(self, name: str, *, ns: str, xep: int | None = None, version: str = "") -> None:
        """`xep` and `version`: what is implemented; None for a part of the RFCs."""
        self.name = name
        self.ns = ns
        self.xep = xep
        self.version = version
        self.iq_handlers: dict[IqKey, IqHandler] = {}
        self.hooks: dict[Hook, HookHandler] = {}
        self.features: set[str] = set()
        self.stream_feature: Element | None = None
        """Offered before the login where the account registration of the domain is open."""

    def on_iq(
        self, type: Literal["get", "set"], name: str, *, ns: str = "", addressed_to: tuple[AddressedTo, ...]
    ) -> Callable[[IqHandler], IqHandler]:
        """Register the handler of this payload; its namespace becomes a disco feature."""
        namespace = ns or self.ns

        def register(handler: IqHandler) -> IqHandler:
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

        def register(handler: HookHandler) -> HookHandler:
            if hook in self.hooks:
                raise ValueError(f"module {self.name} hooks {hook} twice")
            self.hooks[hook] = handler
            self.features.add(self.ns)
            return handler

        return register


class ModuleHost:
    """The modules of one domain, by what they handle. Two modules for the same thing are an error at start-up."""

    def __init__(self, modules: list[Module]) -> None:
        self.modules = modules
        self.features: set[str] = set()
        self._iq_handlers: dict[IqKey, IqHandler] = {}
        self._hooks: dict[Hook, list[HookHandler]] = {}
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
            for hook, action in module.hooks.items():
                self._hooks.setdefault(hook, []).append(action)

    def iq_handler(self, type: str, payload: str, addressed_to: AddressedTo) -> IqHandler | None:
        """The handler of a request, None where there is none."""
        return self._iq_handlers.get(IqKey(type, payload, addressed_to))

    def hook(self, hook: Hook) -> list[HookHandler]:
        """The handlers of a hook."""
        return self._hooks.get(hook, [])
