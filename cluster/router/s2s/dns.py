"""The addresses of a domain's server by DNS (RFC 6120 section 3.2, RFC 2782, XEP-0368)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from socket import AF_INET6, inet_ntop
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.names import dns as untyped
from twisted.names.error import DNSNameError
from twisted.python.failure import Failure

from cluster.router.s2s.ports import Address
from cluster.xmpp.streams.servers.certificate import ascii_form

dns: Any = untyped

PORT = 5269
"""Where a domain without SRV records is tried (RFC 6120 section 3.2.2)."""
SERVICES = (("_xmpps-server", True), ("_xmpp-server", False))
"""The services that are asked for, and whether their connections begin with TLS."""
ASK_S = (2, 4)
"""How long each name server may take to answer a question, and to answer its repetition."""
MAX_TARGETS = 8
"""SRV records of one domain that are followed; each costs two questions."""
MAX_NAME = 253
"""Characters of a domain name (RFC 1035 section 2.3.4)."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class DnsNames:
    """`Names` that asks DNS each time, since a resolver has its own cache."""

    def __init__(self, resolver: Any, random: Callable[[], float]) -> None:
        """`resolver`: an IResolver of twisted.names. `random`: a number in [0, 1), for records of one priority."""
        self._resolver = resolver
        self._random = random

    async def __call__(self, domain: str) -> Sequence[Address]:
        """The addresses, best first; empty if the domain does not exist or offers no such service.

        Raises OSError if DNS gives no answer.
        """
        name = ascii_form(domain)
        if not _is_name(name, MAX_NAME - len("_xmpps-server._tcp.")):
            return ()
        asked = [self._resolver.lookupService(f"{service}._tcp.{name}", ASK_S) for service, _ in SERVICES]
        answers = [_records(answer, dns.SRV) for answer in await _all(asked)]
        found = [
            (record, direct_tls)
            for records, (_, direct_tls) in zip(answers, SERVICES, strict=True)
            if not isinstance(records, Exception)
            for record in records
        ]
        if not found:
            _raise_untold(f"the SRV records of {name}", answers[1:])
            return [Address(host, PORT) for host in await self._hosts(name)]
        # a target "." says that there is no such service, and that nothing else is to be tried (section 3.2.1 step 3)
        offered = [each for each in found if _is_name(_target(each[0]), MAX_NAME)]
        addresses = await self._at(self._first(offered))
        if not addresses:
            _raise_untold(f"the SRV records of {name}", answers)
        return addresses

    async def _at(self, records: list[tuple[Any, bool]]) -> list[Address]:
        """The addresses that these records lead to. A target that DNS does not tell costs only its own."""
        asked = [Deferred.fromCoroutine(self._hosts(_target(record))) for record, _ in records]
        answers = await _all(asked)
        addresses = [
            Address(host, record.port, direct_tls)
            for hosts, (record, direct_tls) in zip(answers, records, strict=True)
            if not isinstance(hosts, Failure)
            for host in hosts
        ]
        if not addresses:
            for failed in answers:
                if isinstance(failed, Failure):
                    failed.raiseException()
        return addresses

    async def _hosts(self, name: str) -> list[str]:
        """The IP addresses of a name. IPv4 first: where IPv6 is broken an attempt takes CONNECT_S to fail."""
        asked = [self._resolver.lookupAddress(name, ASK_S), self._resolver.lookupIPV6Address(name, ASK_S)]
        answers = [_records(answer, kind) for answer, kind in zip(await _all(asked), (dns.A, dns.AAAA), strict=True)]
        v4, v6 = [[] if isinstance(records, Exception) else records for records in answers]
        if not (v4 or v6):
            _raise_untold(f"the address of {name}", answers)
        return [*(each.dottedQuad() for each in v4), *(inet_ntop(AF_INET6, each.address) for each in v6)]

    def _first(self, records: list[tuple[Any, bool]]) -> list[tuple[Any, bool]]:
        """The first MAX_TARGETS by priority; of one priority each comes first with a probability like its weight
        (RFC 2782).
        """
        left = sorted(records, key=lambda each: (each[0].priority, each[0].weight > 0))
        first: list[tuple[Any, bool]] = []
        while left and len(first) < MAX_TARGETS:
            weights = [record.weight for record, _ in left if record.priority == left[0][0].priority]
            at, chosen = self._random() * sum(weights) - weights[0], 0
            while at > 0 and chosen + 1 < len(weights):
                chosen += 1
                at -= weights[chosen]
            first.append(left.pop(chosen))
        return first


async def _all(asked: list[Deferred[Any]]) -> list[Any]:
    """The answers, each of which may be a Failure."""
    return [answer for _, answer in await DeferredList(asked, consumeErrors=True)]


def _records(answer: Any, kind: int) -> list[Any] | Exception:
    """The records of this kind in an answer; none if the name does not exist; otherwise why there is no answer."""
    if isinstance(answer, tuple):
        return [each.payload for each in answer[0] if each.type == kind]
    error = answer.value
    return [] if isinstance(error, DNSNameError) else error


def _target(record: Any) -> str:
    name: str = record.target.name.decode("ascii", "replace")
    return name.lower()


def _is_name(name: str, max_characters: int) -> bool:
    return len(name) <= max_characters and _NAME.fullmatch(name) is not None


def _raise_untold(what: str, answers: list[list[Any] | Exception]) -> None:
    """Raise OSError if one of the questions has no answer: what is not told may exist."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise OSError(f"DNS does not tell {what}: {type(answer).__name__}")
