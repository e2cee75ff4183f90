"""A Redis that has forgotten the lab is told again."""

from __future__ import annotations

from pathlib import Path

import redis as redis_py

from cluster.lab.folder import LabFolder
from cluster.lab.processes.residence import Residence
from cluster.lab.provision import redis
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from tests.harness import ReactorThread, Valkey, until
from tests.unit.lab.plan import make_plan


def test_a_redis_that_restarts_without_its_users_and_data_is_told_them_again(
    reactor_thread: ReactorThread, own_valkey: Valkey, tmp_path: Path
) -> None:
    folder = LabFolder(tmp_path / "verona")
    folder.create()
    plan = make_plan(folder.path, redis_url=own_valkey.url)
    folder.save_plan(plan)
    redis.move_in(folder, plan)
    reactor, keys = reactor_thread.reactor, Keys.of_lab(plan.name)

    async def scenario() -> None:
        residence = Residence(reactor, folder)
        await residence.move_in()
        server = RedisClient(reactor, RedisUrl.parse(folder.secrets()["capulet.lit"]), lambda: 0.0)
        await server.connect()
        try:
            own_valkey.admin.acl_deluser(*redis.users(plan).values())
            own_valkey.admin.flushall()
            own_valkey.kill()
            await until(reactor, lambda: not server.connected)
            own_valkey.start()
            await until(reactor, lambda: server.connected)
            await until(reactor, lambda: own_valkey.admin.exists(keys.domains))
            assert await server.execute("SISMEMBER", keys.domains, "montague.lit")
        finally:
            await server.close()
            await residence.move_out()

    reactor_thread.run(scenario)
    with redis_py.Redis.from_url(folder.secrets()["capulet.lit"]) as client:
        assert client.sismember(keys.domains, "capulet.lit")
