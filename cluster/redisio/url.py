"""The address of a Redis or Valkey, as people write it."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec

_FORMS = (
    "unix://user:password@/path/redis.sock, redis://user:password@host:6379/0 or redis+cluster://…; with TLS "
    "rediss://…, and for a CA of your own rediss://…?ssl_ca_certs=/path/ca.pem"
)
_FURTHER = re.compile(r",(?=[a-z+]+://)")
_AUTHORITY = "ssl_ca_certs"
"""As redis-py names it."""
CLUSTER = "+cluster"
"""At the end of a scheme: the address is that of any node of a Redis Cluster."""


class RedisUrl(msgspec.Struct, frozen=True):
    """The address of a Redis, and the login; `str()` of it shows no password."""

    scheme: str
    host: str
    """Empty for `unix`."""
    port: int
    path: str
    """The socket, for `unix`."""
    user: str
    password: str
    database: int
    is_cluster: bool = False
    """`host` and `port` are those of any node of a Redis Cluster."""
    others: tuple[tuple[str, int], ...] = ()
    """Further hosts and ports: of other nodes, or of a replica that may become the master."""
    ca_file: str = ""
    """For `rediss`: the certificates (PEM) by which that of the server is checked; empty: the system's."""

    @staticmethod
    def parse(text: str) -> RedisUrl:
        """Parses the forms that redis-py accepts too, several with commas between them; user and password may be
        percent-encoded. Raises ValueError."""
        url, *further = map(RedisUrl._parse_one, each_of(text))
        for other in further:
            if msgspec.structs.replace(other, host=url.host, port=url.port) != url or url.scheme == "unix":
                raise ValueError("several Redis addresses may differ only in host and port")
        return msgspec.structs.replace(url, others=tuple((other.host, other.port) for other in further))

    @staticmethod
    def _parse_one(text: str) -> RedisUrl:
        parts = urlsplit(text)
        try:
            port = parts.port or 6379
            database = 0 if parts.scheme == "unix" else int(parts.path.strip("/") or 0)
        except ValueError:
            raise _unreadable(parts) from None
        scheme = parts.scheme.removesuffix(CLUSTER)
        is_cluster = scheme != parts.scheme
        if scheme not in ("unix", "redis", "rediss") or (scheme == "unix") == bool(parts.hostname):
            raise _unreadable(parts)
        if is_cluster and (scheme == "unix" or database):  # a cluster has one database, and nodes on TCP
            raise _unreadable(parts)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        ca_file = query.pop(_AUTHORITY, "")
        if query or (ca_file and (scheme != "rediss" or not ca_file.startswith("/"))):
            raise _unreadable(parts)
        path = unquote(parts.path) if parts.scheme == "unix" else ""
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return RedisUrl(scheme, parts.hostname or "", port, path, user, password, database, is_cluster, (), ca_file)

    def at(self, host: str, port: int) -> RedisUrl:
        """The same user at another address."""
        return msgspec.structs.replace(self, host=host, port=port, others=())

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Hosts and ports to try."""
        return [(self.host, self.port), *self.others]

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        if self.scheme == "unix":
            return f"unix://{user}{self.path}"
        hosts = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"{self.scheme}{CLUSTER if self.is_cluster else ''}://{user}{hosts}/{self.database}"


def with_authority(text: str, ca_file: str) -> str:
    """Each address with this file of certificates."""
    query = f"{_AUTHORITY}={quote(ca_file)}"
    return ",".join(urlsplit(url)._replace(query=query).geturl() for url in each_of(text))


def each_of(text: str) -> list[str]:
    """The addresses of a list with commas."""
    return _FURTHER.split(text)


def _unreadable(parts: SplitResult) -> ValueError:
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return ValueError(f"{shown!r} is not a Redis address; write {_FORMS}")
