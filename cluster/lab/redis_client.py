"""The commands' connection to the lab's Redis: with redis-py, since they have no reactor. Servers have `redisio`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cluster.lab.errors import LabError
from cluster.redisio.sentinel_errors import refused, unknown_service
from cluster.redisio.slots import slot
from cluster.redisio.url import RedisUrl

if TYPE_CHECKING:
    import redis

_UNUSABLE = "check that it is running, and check user and password"
_OWN_UNUSABLE = "the lab is down, or its Redis is: see `xmpplab ps`"
"""For the Redis that the lab has brought up itself, at its socket."""
_REMEDIES = {
    "CERTIFICATE_VERIFY_FAILED": "name the CA of its certificate: rediss://…?ssl_ca_certs=/path/ca.pem",
    "MISCONF": "it cannot write to its disk: give it room there (`df -h`), then try again",
    "used memory > 'maxmemory'": "its memory is full: give it more (`CONFIG SET maxmemory`), then try again",
    "read only replica": "it is a replica and accepts no writes; give the address of its master",
    "refuses the login": "give that of the Sentinels too: …?sentinel_password=…&sentinel_username=…",
    "no master has the name": "name the master as the Sentinels do: redis+sentinel://host:26379/NAME",
    "cannot be reached": "check that the Sentinels are running, and check their addresses",
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
        client = _client(RedisUrl.parse(url), timeout_s)
    except ValueError as error:
        raise LabError(f"--redis: {error}") from None
    except unusable as error:  # a cluster and Sentinels are asked at once
        raise LabError(_unusable(url, error)) from None
    try:
        yield client
    except unusable as error:
        raise LabError(_unusable(url, error)) from None
    finally:
        client.close()


def _client(url: RedisUrl, timeout_s: float | None) -> redis.Redis:
    """A client of the cluster, or of the first address that is a master or whose Sentinel names one. Raises what
    redis-py raises."""
    import redis
    from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
    from redis.cluster import ClusterNode
    from redis.retry import Retry

    timeouts: Any = {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    retry = Retry(ExponentialWithJitterBackoff(), RETRIES, (redis.ConnectionError,))
    if timeout_s is not None:
        timeouts, retry = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}, Retry(NoBackoff(), 0)
    timeouts["retry"] = retry
    if url.is_cluster:
        node: Any = ClusterNode  # redis-py has no types here
        seeds = [node(*address) for address in url.others]
        first = url.at(url.host, url.port).text
        cluster: Any = redis.RedisCluster.from_url(first, startup_nodes=seeds, **timeouts)
        client: redis.Redis = cluster
        return client
    if not url.fails_over:
        return redis.Redis.from_url(url.text, **timeouts)
    errors: list[redis.RedisError] = []
    for address in url.addresses:
        try:
            return _master(url, address, timeouts)
        except redis.AuthenticationError:
            raise  # the others have the same users
        except redis.RedisError as error:
            errors.append(error)
    raise next((error for error in errors if isinstance(error, redis.ResponseError)), errors[0])


def _master(url: RedisUrl, address: tuple[str, int], timeouts: Any) -> redis.Redis:
    """A client of this address, or of what the Sentinel there names, if it is a master. Raises what redis-py raises."""
    import redis

    if url.service:
        address = _named_master(url, address, timeouts)
    client = redis.Redis.from_url(url.at(*address).text, **timeouts)
    try:
        if client.info("replication").get("role") != "master":
            raise redis.ReadOnlyError(f"{address[0]}:{address[1]} is a read only replica")
    except redis.RedisError:
        client.close()
        raise
    return client


def _named_master(url: RedisUrl, address: tuple[str, int], timeouts: Any) -> tuple[str, int]:
    """The commands' side of `redisio.sentinel.named_master`. One that does not answer is not asked again."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    timeouts = {**timeouts, "retry": Retry(NoBackoff(), 0)}
    where = f"the Sentinel at {address[0]}:{address[1]}"
    try:
        with redis.Redis.from_url(url.sentinel_at(*address).text, decode_responses=True, **timeouts) as sentinel:
            asked: Any = sentinel.execute_command
            found: tuple[str, int] | None = asked("SENTINEL GET-MASTER-ADDR-BY-NAME", url.service)
            if found is None:
                raise redis.ResponseError(unknown_service(url.service, [*asked("SENTINEL MASTERS")]))
    except redis.AuthenticationError:
        raise redis.ResponseError(refused(where, "WRONGPASS")) from None
    except redis.ConnectionError as error:
        raise redis.ConnectionError(f"{where} cannot be reached: {error}") from None
    except redis.ResponseError as error:
        raise redis.ResponseError(refused(where, str(error))) from None
    return found


def _unusable(url: str, error: Exception) -> str:
    """Why that Redis cannot be used, and the remedy."""
    said = " ".join(str(error).split()).rstrip(".")
    usual = _OWN_UNUSABLE if url.endswith("/redis.sock") else _UNUSABLE
    remedy = next((each for words, each in _REMEDIES.items() if words in said), usual)
    return f"Redis at {RedisUrl.parse(url)}: {said}; {remedy}"


def publish(client: redis.Redis, channel: str, message: str) -> int:
    """Publish it on the channel, wherever the servers listen to it; returns how many heard it."""
    import redis

    node: Any = client
    if isinstance(client, redis.RedisCluster):
        node = client.get_redis_connection(client.get_node_from_key(channel))
    return int(node.publish(channel, message))


def home_of(text: str, key: str) -> RedisUrl:
    """The node that has the key, or the master among several addresses. Raises LabError."""
    url = RedisUrl.parse(text)
    if url.is_cluster:
        return url.at(*_home_in_cluster(url, key))
    if not url.fails_over:
        return url
    with connected(text) as client:
        at: Any = client.connection_pool.connection_kwargs
        return url.at(at["host"], at["port"])


def _home_in_cluster(url: RedisUrl, key: str) -> tuple[str, int]:
    """According to the first node that answers; the user of a server may not ask more than that."""
    for address in url.addresses:
        try:
            with connected(url.at(*address).text) as node:
                ranges: Any = node.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
        except LabError:
            if address == url.addresses[-1]:
                raise
            continue
        for first, last, (host, port, *_), *_ in ranges:
            if first <= slot(key) <= last:
                return host.decode() if host else address[0], int(port)
    raise LabError(f"the cluster at {url} has no master for some slots; check that all masters are running")


def nodes(admin: redis.Redis, url: str) -> Iterator[Any]:
    """A client for each node, also for each replica that may take over and answers: users and their rights are per
    node. It is closed when the next one is asked for."""
    import redis

    if isinstance(admin, redis.RedisCluster):
        yield from (admin.get_redis_connection(node) for node in admin.get_nodes())
        return
    yield admin
    of_all = RedisUrl.parse(url)
    info: dict[str, Any] = admin.info("replication") if of_all.fails_over else {}
    for number in range(info.get("connected_slaves", 0)):
        found = info[f"slave{number}"]
        timeouts: Any = {"socket_timeout": CONNECT_TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
        with redis.Redis.from_url(of_all.at(found["ip"], found["port"]).text, **timeouts) as replica:
            if _answers(replica):
                yield replica


def _answers(node: redis.Redis) -> bool:
    import redis

    try:
        return bool(node.ping())
    except redis.RedisError:
        return False


def masters(admin: redis.Redis) -> list[Any]:
    import redis

    if not isinstance(admin, redis.RedisCluster):
        return [admin]
    return [admin.get_redis_connection(node) for node in admin.get_primaries()]
