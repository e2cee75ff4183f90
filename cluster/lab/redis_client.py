"""The commands' connection to the lab's Redis: with redis-py, since they have no reactor. Servers have `redisio`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cluster.lab.errors import LabError
from cluster.redisio.slots import slot
from cluster.redisio.url import CLUSTER, RedisUrl, each_of

if TYPE_CHECKING:
    import redis

_UNUSABLE = "check that it is running, and check user and password"
_REMEDIES = {
    "redis.sock": "the lab is down, or its Redis is: see `xmpplab ps`",
    "CERTIFICATE_VERIFY_FAILED": "name the CA of its certificate: rediss://…?ssl_ca_certs=/path/ca.pem",
    "MISCONF": "it cannot write to its disk: give it room there (`df -h`), then try again",
    "used memory > 'maxmemory'": "its memory is full: give it more (`CONFIG SET maxmemory`), then try again",
    "read only replica": "it is a replica and accepts no writes; give the address of its master",
    "NOREPLICAS": "it has fewer replicas than min-replicas-to-write requires",
}
"""By the message of a Redis that refuses; redis-py removes the first word of some messages."""

SOCKET_TIMEOUT_S = 30.0
"""Longer than any wait in Redis (ask.py). Who has waited for so long does not wait again."""
CONNECT_TIMEOUT_S = 5.0
RETRIES = 10
"""Of a connection that is refused or ends, as while Redis starts: within 3 s."""


@contextmanager
def connected(url: str, timeout_s: float | None = None) -> Iterator[redis.Redis]:
    """A connection for commands; its errors become LabErrors.

    `timeout_s`: a command without a reply by then fails, and is not tried again: for callers that have other things to
    do.
    """
    import redis

    unusable = (redis.RedisError, redis.exceptions.RedisClusterException)  # the second is not a subclass of the first
    try:
        client = _client(url, timeout_s)
    except ValueError as error:
        raise LabError(f"--redis: {error}; write redis://user:password@host:6379/0") from None
    except unusable as error:  # a cluster is contacted at once
        raise LabError(_unusable(url, error)) from None
    try:
        yield client
    except unusable as error:
        raise LabError(_unusable(url, error)) from None
    finally:
        client.close()


def _client(url: str, timeout_s: float | None) -> redis.Redis:
    """A client of the cluster, or of the first address that is a master. Raises ValueError or what redis-py raises."""
    import redis
    from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
    from redis.cluster import ClusterNode
    from redis.retry import Retry

    RedisUrl.parse(url)  # its message names the forms
    first, *others = each_of(url.replace(CLUSTER, ""))
    timeouts: Any = {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    retry = Retry(ExponentialWithJitterBackoff(), RETRIES, (redis.ConnectionError,))
    if timeout_s is not None:
        timeouts, retry = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}, Retry(NoBackoff(), 0)
    timeouts["retry"] = retry
    if urlsplit(url).scheme.endswith(CLUSTER):
        node: Any = ClusterNode  # redis-py has no types here
        seeds = [node(str(parts.hostname), parts.port or 6379) for parts in map(urlsplit, others)]
        cluster: Any = redis.RedisCluster.from_url(first, startup_nodes=seeds, **timeouts)
        client: redis.Redis = cluster
        return client
    for address in others and (first, *others):
        client = redis.Redis.from_url(address, **timeouts)
        with suppress(redis.RedisError):
            if client.info("replication").get("role") == "master":
                return client
        client.close()
    return redis.Redis.from_url(first, **timeouts)


def _unusable(url: str, error: Exception) -> str:
    """Why that Redis cannot be used, and the remedy."""
    said = " ".join(str(error).split()).rstrip(".")
    remedy = next((each for words, each in _REMEDIES.items() if words in said), _UNUSABLE)
    return f"Redis at {_without_password(url)}: {said}; {remedy}"


def _without_password(url: str) -> str:
    return with_login(url, "")


def publish(client: redis.Redis, channel: str, message: str) -> int:
    """Publish it on the channel, wherever the servers listen to it; returns how many heard it."""
    import redis

    node: Any = client
    if isinstance(client, redis.RedisCluster):
        node = client.get_redis_connection(client.get_node_from_key(channel))
    return int(node.publish(channel, message))


def home_of(url: str, key: str) -> str:
    """The URL of the node that has the key, or of the master among several addresses. Raises LabError."""
    first, *others = each_of(url)
    parts = urlsplit(first)
    if not others and not parts.scheme.endswith(CLUSTER):
        return url
    if parts.scheme.endswith(CLUSTER):
        host, port = _home_in_cluster(url, key)
    else:
        with connected(url) as client:
            at: Any = client.connection_pool.connection_kwargs
            host, port = at["host"], at["port"]
    login, at_sign, _ = parts.netloc.rpartition("@")
    scheme, netloc = parts.scheme.removesuffix(CLUSTER), f"{login}{at_sign}{host}:{port}"
    return parts._replace(scheme=scheme, netloc=netloc).geturl()


def _home_in_cluster(url: str, key: str) -> tuple[str, int]:
    """According to the first node that answers; the user of a server may not ask more than that."""
    wanted, *others = each_of(url.replace(CLUSTER, ""))
    for address in (wanted, *others):
        try:
            with connected(address) as node:
                ranges: Any = node.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
        except LabError:
            if address == [wanted, *others][-1]:
                raise
            continue
        for first, last, (host, port, *_), *_ in ranges:
            if first <= slot(key) <= last:
                return host.decode() if host else str(urlsplit(address).hostname), int(port)
    raise LabError(
        f"the cluster at {_without_password(url)} has no master for some slots; check that all masters are running"
    )


def nodes(admin: redis.Redis) -> list[Any]:
    """A client for each node: users and their rights are per node in a cluster."""
    import redis

    if not isinstance(admin, redis.RedisCluster):
        return [admin]
    return [admin.get_redis_connection(node) for node in admin.get_nodes()]


def masters(admin: redis.Redis) -> list[Any]:
    import redis

    if not isinstance(admin, redis.RedisCluster):
        return [admin]
    return [admin.get_redis_connection(node) for node in admin.get_primaries()]


def with_login(url: str, login: str) -> str:
    """Each address with `user:password@`, or without."""
    each = map(urlsplit, each_of(url))
    return ",".join(parts._replace(netloc=f"{login}{parts.netloc.rpartition('@')[2]}").geturl() for parts in each)
