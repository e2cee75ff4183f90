"""Who the master is, by Redis Sentinel (https://valkey.io/topics/sentinel-clients/)."""

from __future__ import annotations

from hiredis import ReplyError
from twisted.internet.error import ConnectError, DNSLookupError

from cluster.base.clock import Reactor
from cluster.redisio.connection import log_in
from cluster.redisio.layout import Address
from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.sentinel_errors import refused, unknown_service
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
            raise ReplyError(unknown_service(url.service, [each[b"name"].decode() for each in masters]))
    finally:
        protocol.close()
    return found[0].decode(), int(found[1])
