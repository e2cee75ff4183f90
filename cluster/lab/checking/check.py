"""The steps of another server and of a client at a domain, one after the other, up to the first that fails."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from cluster.base.request import Status
from cluster.kinds.base.values import prepared_domain
from cluster.lab.answers import CheckStep
from cluster.lab.checking import names, tls
from cluster.lab.checking.wire import PATIENCE_S, Ended, Wire
from cluster.lab.clients.names import server_of
from cluster.lab.control.ask import ask
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, ServerNode, XmpplabServer
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import (
    BIDI_FEATURE,
    CLIENT,
    DIALBACK,
    DIALBACK_FEATURE,
    SASL,
    SERVER,
    SM,
    STREAM_LIMITS,
    TLS,
)
from cluster.xmpp.parser import StreamHeader
from cluster.xmpp.streams.servers.certificate import ascii_form

_KNOWN = {DIALBACK_FEATURE: "dialback", SM: "stream management", STREAM_LIMITS: "limits", BIDI_FEATURE: "bidi"}
"""Features of streams between servers, by their namespaces."""


class Check:
    """The check of one domain."""

    def __init__(self, folder: LabFolder, plan: Plan, domain: str) -> None:
        """`domain`: as it is typed. Raises BadInput for one that is not in the lab."""
        domain = prepared_domain(domain) or domain
        server = server_of(plan, plan.served_by.get(domain, domain))
        self._folder, self._plan, self._domain, self._server = folder, plan, domain, server
        self._ascii = ascii_form(domain)

    def steps(self) -> Iterator[CheckStep]:
        """Yields each step when it is done; only the last one may have failed."""
        for part in (self._names, self._component, self._servers, self._clients):
            for step in _until_it_fails(part()):
                yield step
                if not step.ok:
                    return

    def _step(self, side: str, name: str, found: str) -> CheckStep:
        return CheckStep(side, name, True, found)

    def _names(self) -> Iterator[CheckStep]:
        server = self._server
        what = "" if self._domain == server.domain else f"; {self._domain} is below {server.domain}"
        yield self._step("names", "server", f"{server.name}, of kind {server.kind}{what}")
        at = self._plan.name_server
        if at is None:
            yield self._step("names", "DNS", f"none on this system; its address is {server.host}")
            return
        remedy = f"`xmpplab logs supervisor` tells why the DNS at {at[0]}:{at[1]} does not answer"
        with _Failing("names", "address", remedy):
            found = names.addresses(at, self._ascii)
            if found != [server.host]:
                raise Ended(f"the DNS has {', '.join(found) or 'no address'}, the plan {server.host}")
            yield self._step("names", "address", server.host)
        with _Failing("names", "SRV", remedy):
            texts = []
            for service in ("_xmpp-client", "_xmpps-client", "_xmpps-server", "_xmpp-server"):
                for target, port in names.services(at, service, self._ascii):
                    texts.append(f"{service} {target}:{port}")
            yield self._step(
                "names", "SRV", ", ".join(texts) or "none, and none is needed: it is reached through its server"
            )

    def _component(self) -> Iterator[CheckStep]:
        nodes = [
            node for node in self._plan.ours if self._domain in [component.domain for component in node.components]
        ]
        if not nodes:
            return
        name = next((each.name for each in self._plan.gateways if each.domain == self._domain), "the program")
        with _Failing("components", "connection", f"start {name}; `xmpplab ps` shows its state"):
            if not any(self._has(node) for node in nodes):
                raise Ended(f"it is not connected to {self._server.name} (XEP-0114)")
            yield self._step("components", "connection", f"it is connected to {self._server.name} (XEP-0114)")

    def _has(self, node: XmpplabServer) -> bool:
        with suppress(LabError):  # the node does not run
            return bool(ask(self._folder, self._plan, node, Status(), PATIENCE_S)["components"].get(self._domain))
        return False

    def _servers(self) -> Iterator[CheckStep]:
        server = self._server
        if server.s2s_port not in server.ports:
            yield self._step("servers", "streams", "no other server reaches it by XML streams: its links use Redis")
            return
        peer = self._linked_server()
        see = f"`xmpplab ps` and `xmpplab logs {server.name}` tell more"
        address = (server.host, server.s2s_port)
        with (
            _Failing("servers", "port", see) as at,
            Wire(address, SERVER, self._domain, peer.domain if peer else "") as wire,
        ):
            yield self._step("servers", "port", f"{server.host}:{server.s2s_port} takes connections")
            at.name = "stream"
            header, features = wire.open()
            yield self._step("servers", "stream", _described(header, features))
            if features.find(f"{{{TLS}}}starttls") is None:
                at.name, at.remedy = "STARTTLS", "let the server offer it (RFC 6120 section 5.3.1)"
                raise Ended("STARTTLS is not on offer")
            own = (self._folder.certificate(peer.server), self._folder.key(peer.server)) if peer else None
            yield from self._under_tls("servers", at, wire, tls.trusting(self._folder.ca_file, own))
            at.name, at.remedy = "features", see
            header, features = wire.open()
            yield self._step("servers", "features", _described(header, features))
            yield from self._external(at, wire, header, features, peer)
        if server.s2s_direct_tls is not None:
            own = (self._folder.certificate(peer.server), self._folder.key(peer.server)) if peer else None
            context = tls.trusting(self._folder.ca_file, own, alpn="xmpp-server")
            opened = partial(
                Wire, (server.host, server.s2s_direct_tls), SERVER, self._domain, peer.domain if peer else ""
            )
            yield from self._direct_tls("servers", f"{server.host}:{server.s2s_direct_tls}", opened, context)

    def _linked_server(self) -> ServerNode | None:
        """A server that has a link with this one, and whose certificate is available."""
        others = [each for each in self._plan.servers if each.server != self._server.name]
        return next((each for each in others if each.is_joined_to(self._server.domain)), None)

    def _external(
        self, at: _Failing, wire: Wire, header: StreamHeader, features: Element, peer: ServerNode | None
    ) -> Iterator[CheckStep]:
        dials_back = has_dialback(header, features)
        if peer is None:
            yield self._step("servers", "EXTERNAL", "not tried: no other server of the lab may speak with it")
            return
        at.name = "EXTERNAL"
        if "EXTERNAL" not in mechanisms(features):
            at.remedy = "give it the lab's CA as an authority, and let it offer SASL EXTERNAL or dialback"
            if not dials_back:
                raise Ended(f"{peer.domain} is offered neither EXTERNAL nor dialback")
            yield self._step("servers", "EXTERNAL", f"not offered to {peer.domain}; dialback is (XEP-0220)")
            return
        at.remedy = f"check what `xmpplab logs {self._server.name}` says of the certificate of {peer.domain}"
        wire.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
        wire.child("success")
        yield self._step("servers", "EXTERNAL", f"{peer.domain} logs in with its certificate")
        at.name = "stream of a server"
        wire.open()

    def _clients(self) -> Iterator[CheckStep]:
        server = self._server
        if self._domain != server.domain:
            return
        see = f"`xmpplab ps` and `xmpplab logs {server.name}` tell more"
        context = tls.trusting(self._folder.ca_file)
        with (
            _Failing("clients", "port", see) as at,
            Wire((server.host, server.c2s_port), CLIENT, self._domain) as wire,
        ):
            yield self._step("clients", "port", f"{server.c2s} takes connections")
            at.name = "stream"
            header, features = wire.open()
            yield self._step("clients", "stream", _described(header, features))
            if features.find(f"{{{TLS}}}starttls") is not None:
                yield from self._under_tls("clients", at, wire, context)
                at.name = "features"
                _, features = wire.open()
            elif server.tls != "off":
                at.name, at.remedy = "STARTTLS", "give it a certificate, or write `tls: off` into the topology"
                raise Ended("STARTTLS is not on offer")
            at.name, at.remedy = "SASL", "let it offer a mechanism, such as SCRAM-SHA-1 (RFC 6120 section 13.8)"
            offered = mechanisms(features)
            if not offered:
                raise Ended("no mechanism is on offer")
            yield self._step("clients", "SASL", ", ".join(offered))
        if server.direct_tls is not None:
            context = tls.trusting(self._folder.ca_file, alpn="xmpp-client")
            opened = partial(Wire, (server.host, server.direct_tls_port), CLIENT, self._domain)
            yield from self._direct_tls("clients", server.direct_tls, opened, context)

    def _direct_tls(
        self, side: str, address: str, opened: Callable[[], Wire], context: ssl.SSLContext
    ) -> Iterator[CheckStep]:
        see = f"`xmpplab ps` and `xmpplab logs {self._server.name}` tell more"
        with _Failing(side, "direct TLS", see), opened() as wire:
            secured = wire.begin_tls(context, self._ascii)
            wire.open()
            yield self._step(side, "direct TLS", f"{address}, {secured.version()}")

    def _under_tls(self, side: str, at: _Failing, wire: Wire, context: ssl.SSLContext) -> Iterator[CheckStep]:
        at.name, at.remedy = "TLS", f"its certificate is {self._folder.certificate(self._server.name)}, for its use"
        secured = wire.start_tls(context, self._ascii)
        yield self._step(side, "TLS", f"{secured.version()}, {(secured.cipher() or ['?'])[0]}, signed by the lab's CA")
        at.name = "certificate"
        certificate = tls.certificate_of(secured)
        if wrong := tls.why_not(certificate, self._domain):
            raise Ended(wrong)
        yield self._step(side, "certificate", tls.described(certificate))


class _Failing:
    """The step under way, and the remedy if it fails."""

    def __init__(self, side: str, name: str, remedy: str) -> None:
        self.side, self.name, self.remedy = side, name, remedy

    def __enter__(self) -> _Failing:
        return self

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, (Ended, OSError, StreamError)):
            raise _Failed(CheckStep(self.side, self.name, False, _in_words(error), self.remedy)) from error


class _Failed(Exception):
    def __init__(self, step: CheckStep) -> None:
        super().__init__(step.found)
        self.step = step


def _until_it_fails(steps: Iterator[CheckStep]) -> Iterator[CheckStep]:
    try:
        yield from steps
    except _Failed as failed:
        yield failed.step


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {error.verify_message}"
    return str(error)


def mechanisms(features: Element) -> list[str]:
    """The offered SASL mechanisms."""
    return [each.text or "" for each in features.iter(f"{{{SASL}}}mechanism")]


def has_dialback(header: StreamHeader, features: Element) -> bool:
    """Whether dialback is offered: as a feature, or as old servers do, by the namespace in the header (XEP-0220 section
    2.4.1)."""
    return features.find(f"{{{DIALBACK_FEATURE}}}dialback") is not None or DIALBACK in header.namespaces


def _described(header: StreamHeader, features: Element) -> str:
    parts = []
    starttls = features.find(f"{{{TLS}}}starttls")
    if starttls is not None:
        parts.append("STARTTLS required" if starttls.find(f"{{{TLS}}}required") is not None else "STARTTLS")
    if offered := mechanisms(features):
        parts.append(f"SASL {', '.join(offered)}")
    parts += [
        name for namespace, name in _KNOWN.items() if any(each.tag.startswith(f"{{{namespace}}}") for each in features)
    ]
    if DIALBACK in header.namespaces and "dialback" not in parts:
        parts.append("dialback")
    return "; ".join(parts) or "no features"
