"""Who the master is, by Redis Sentinel (https://valkey.io/topics/sentinel-clients/)."""

from __future__ import annotations

from collections.abc import Sequence

from hiredis import ReplyError
from twisted.internet.error import ConnectError, DNSLookupError

from cluster.base.clock import Reactor
from cluster.redisio.connection import log_in
from cluster.redisio.layout import Address
from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.silence import COMMANDS
from cluster.redisio.url import RedisUrl


async def named_master(reactor: Reactor, url: RedisUrl, sentinel: Address) -> Address:
    """The master of the service, as one Sentinel knows it. Fails with one of UNREACHABLE.

    The Sentinel may not know yet who the master is now: what is there has to say itself that it is one.
    """
    where = f"the Sentinel at {sentinel[0]}:{sentinel[1]}"
    try:
        return await _asked(reactor, url, sentinel)
    except ReplyError as error:
        raise ReplyError(refused(where, str(error))) from None
    except (ConnectError, DNSLookupError) as error:
        raise ConnectError(string=f"{where} cannot be reached: {error}") from None


async def _asked(reactor: Reactor, url: RedisUrl, sentinel: Address) -> Address:
    protocol = RedisProtocol(reactor, COMMANDS, lambda *push: None, lambda: None)
    await log_in(protocol, reactor, url.sentinel_at(*sentinel))
    try:
        found = await protocol.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", url.service)
        if found is None:
            masters = await protocol.execute("SENTINEL", "MASTERS")
            raise ReplyError(unknown(url.service, [each[b"name"].decode() for each in masters]))
    finally:
        protocol.close()
    return found[0].decode(), int(found[1])


def unknown(service: str, known: Sequence[str]) -> str:
    """The message for a service that a Sentinel does not know, but others."""
    return f"no master has the name {service!r}, but {', '.join(sorted(known)) or 'none is watched'}"


def refused(where: str, error: str) -> str:
    """The message for the error reply of a Sentinel."""
    is_login = error.startswith(("NOAUTH", "WRONGPASS"))
    return f"{where} refuses the login" if is_login else f"{where} says: {error}"
