"""The address of a Redis or Valkey, as people write it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

_FORMS = (
    "unix://user:password@/path/redis.sock, redis://user:password@host:6379/0, redis+cluster://host,host2 or "
    "redis+sentinel://host,host2/SERVICE?sentinel_password=…; with TLS rediss…://, and for a CA of your own "
    "?ssl_ca_certs=/path/ca.pem"
)
_FORM = re.compile(
    r"(?P<scheme>unix|rediss?)(?P<kind>|\+cluster|\+sentinel)://(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_CLUSTER, _SENTINEL = "+cluster", "+sentinel"
_PORTS = {"": 6379, _CLUSTER: 6379, _SENTINEL: 26379}


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
    """Further hosts and ports: of other nodes, of a replica that may become the master, or of other Sentinels."""
    ca_file: str = ""
    """For `rediss`: the certificates (PEM) by which that of the server is checked; empty: the system's."""
    service: str = ""
    """The addresses are those of Sentinels, which know the master by this name."""
    sentinel_user: str = ""
    sentinel_password: str = ""

    @staticmethod
    def parse(text: str) -> RedisUrl:
        """Parses the forms that redis-py accepts too, with commas between several hosts, and for Sentinel the form of
        other Python programs (https://pypi.org/project/Redis-Sentinel-Url/). Login, path and options may be
        percent-encoded. Raises ValueError."""
        found = _FORM.fullmatch(text)
        try:
            if found is not None:
                return _read(**found.groupdict(default=""))
        except ValueError:
            pass
        shown = re.sub(r"//.*@", "//", re.sub(r"(password=)[^&]*", r"\1…", text))
        raise ValueError(f"{shown!r} is not a Redis address; write {_FORMS}")

    def at(self, host: str, port: int) -> RedisUrl:
        """The same user at another address, where there is a Redis itself."""
        return msgspec.structs.replace(
            self, host=host, port=port, others=(), is_cluster=False, service="", sentinel_user="", sentinel_password=""
        )

    def sentinel_at(self, host: str, port: int) -> RedisUrl:
        """A Sentinel at one of the addresses, which has users of its own."""
        user, password = self.sentinel_user, self.sentinel_password
        return msgspec.structs.replace(self.at(host, port), user=user, password=password, database=0)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Hosts and ports to try."""
        return [(self.host, self.port), *self.others]

    @property
    def fails_over(self) -> bool:
        """Whether another Redis may become the master, which the present one is not told at once."""
        return self.is_cluster or bool(self.service or self.others)

    @property
    def kind(self) -> str:
        """What the scheme ends with."""
        return _CLUSTER if self.is_cluster else _SENTINEL if self.service else ""

    @property
    def text(self) -> str:
        """As `parse` reads it, with the passwords."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user or self.password else ""
        options = {
            "ssl_ca_certs": self.ca_file,
            "sentinel_username": self.sentinel_user,
            "sentinel_password": self.sentinel_password,
        }
        query = urlencode({name: value for name, value in options.items() if value})
        return self._without_options(login) + (f"?{query}" if query else "")

    def __str__(self) -> str:
        return self._without_options(f"{quote(self.user, safe='')}@" if self.user else "")

    def _without_options(self, login: str) -> str:
        if self.scheme == "unix":
            return f"unix://{login}{quote(self.path)}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses)
        service = f"/{quote(self.service, safe='')}" if self.service else ""
        return f"{self.scheme}{self.kind}://{login}{hosts}{service}/{self.database}"


def with_authority(text: str, ca_file: str) -> str:
    """The same with this file of certificates."""
    return msgspec.structs.replace(RedisUrl.parse(text), ca_file=ca_file).text


def _read(scheme: str, kind: str, login: str, hosts: str, path: str, query: str) -> RedisUrl:
    """Raises ValueError."""
    user, _, password = login.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    ca_file = options.pop("ssl_ca_certs", "")
    _check(not ca_file or (scheme == "rediss" and ca_file.startswith("/")))
    sentinel_login = options.pop("sentinel_username", ""), options.pop("sentinel_password", "")
    _check(not options and (kind == _SENTINEL or not any(sentinel_login)))
    if scheme == "unix":
        _check(bool(path) and not kind and not hosts)
        return RedisUrl(scheme, "", _PORTS[kind], unquote(path), unquote(user), unquote(password), 0)
    service, database = "", path.strip("/")
    if kind == _SENTINEL:
        service, _, database = database.partition("/")
        _check(bool(service))
    _check(not database or kind != _CLUSTER or database == "0")
    first, *others = [_address(host, _PORTS[kind]) for host in hosts.split(",")]
    return RedisUrl(
        scheme, *first, "", unquote(user), unquote(password), int(database or 0), kind == _CLUSTER, tuple(others),
        ca_file, unquote(service), *sentinel_login,
    )  # fmt: skip


def _address(text: str, default_port: int) -> tuple[str, int]:
    """Host and port. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    _check(bool(parts.hostname))
    return str(parts.hostname), parts.port or default_port


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError
