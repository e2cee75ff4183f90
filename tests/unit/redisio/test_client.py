from collections.abc import Iterator

import pytest
from hiredis import ReplyError
from twisted.internet.error import ConnectionLost

import cluster.redisio.client as client_module
from cluster.redisio.client import RedisClient, RedisUnavailable
from cluster.redisio.keys import Keys
from cluster.redisio.silence import COMMANDS
from cluster.redisio.url import RedisUrl
from tests.harness import ReactorThread, Valkey, until


class Lab:
    """Clients of one Valkey, closed at the end."""

    def __init__(self, thread: ReactorThread, valkey: Valkey) -> None:
        self.run = thread.run
        self.reactor = thread.reactor
        self.valkey = valkey
        self._clients: list[RedisClient] = []

    def client(self, url: str = "") -> RedisClient:
        client = RedisClient(self.reactor, RedisUrl.parse(url or self.valkey.url), lambda: 0.0)
        self._clients.append(client)
        return client

    @staticmethod
    def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
        """Give up sooner, so that a test need not wait."""
        monkeypatch.setattr(client_module, "COMMANDS", COMMANDS._replace(look_s=0.05))

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@pytest.fixture
def lab(reactor_thread: ReactorThread, valkey: Valkey) -> Iterator[Lab]:
    lab = Lab(reactor_thread, valkey)
    yield lab
    lab.run(lab.close)


@pytest.fixture
def own_lab(reactor_thread: ReactorThread, own_valkey: Valkey) -> Iterator[Lab]:
    lab = Lab(reactor_thread, own_valkey)
    yield lab
    lab.run(lab.close)


def test_logs_in_as_a_user_whose_password_needs_percent_encoding(lab: Lab, keys: Keys) -> None:
    lab.valkey.admin.execute_command(
        "ACL", "SETUSER", keys.prefix, "on", ">p@ss/w:rd", "+acl|whoami", "+ping", "+hello"
    )

    async def scenario() -> object:
        client = lab.client(lab.valkey.url_of(keys.prefix.replace(":", "%3A"), "p%40ss%2Fw%3Ard"))
        await client.connect()
        return await client.execute("ACL", "WHOAMI")

    assert lab.run(scenario) == keys.prefix.encode()


@pytest.mark.parametrize("url", ["unix://nobody:wrong@{socket}", "unix://{socket}.absent"])
def test_a_redis_that_is_not_there_or_refuses_is_explained(lab: Lab, url: str) -> None:
    async def scenario() -> None:
        await lab.client(url.format(socket=f"{lab.valkey.folder}/redis.sock")).connect()

    with pytest.raises(RedisUnavailable, match="check that it is running"):
        lab.run(scenario)


def test_published_messages_are_heard(lab: Lab, keys: Keys) -> None:
    async def scenario() -> list[bytes]:
        client, heard = lab.client(), list[bytes]()
        await client.connect()
        await client.subscribe(keys.doorbell("capulet.lit"), heard.append)
        assert await client.execute("PUBLISH", keys.doorbell("capulet.lit"), "montague.lit") == 1
        await until(lab.reactor, lambda: heard)
        return heard

    assert lab.run(scenario) == [b"montague.lit"]


def test_who_unsubscribed_hears_no_more_over_this_and_the_next_connection(own_lab: Lab) -> None:
    async def scenario() -> list[bytes]:
        client, heard = own_lab.client(), list[bytes]()
        await client.connect()
        await client.subscribe("channel", heard.append)
        client.post("PUBLISH", "channel", "on its way")
        client.unsubscribe("channel")
        assert await client.execute("PUBLISH", "channel", "x") == 0
        renewed: list[int] = []
        await client.subscribe("other", heard.append, lambda: renewed.append(1))
        own_lab.valkey.admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(own_lab.reactor, lambda: renewed)
        assert await client.execute("PUBLISH", "channel", "x") == 0
        return heard

    assert own_lab.run(scenario) == []


def test_a_subscription_that_the_acl_forbids_is_refused(lab: Lab, keys: Keys) -> None:
    lab.valkey.admin.execute_command("ACL", "SETUSER", keys.prefix, "on", ">x", "+@all", "resetchannels")

    async def scenario() -> None:
        client = lab.client(lab.valkey.url_of(keys.prefix.replace(":", "%3A"), "x"))
        await client.connect()
        await client.subscribe(keys.doorbell("capulet.lit"), lambda message: None)

    with pytest.raises(ReplyError, match="NOPERM"):
        lab.run(scenario)


def test_after_a_crash_of_redis_it_connects_and_subscribes_again(own_lab: Lab) -> None:
    async def scenario() -> None:
        client, heard, connections = own_lab.client(), list[bytes](), list[bool]()
        await client.connect()
        client.when_connected(lambda: connections.append(client.connected))
        await client.subscribe("channel", heard.append)
        under_way = client.execute("BLPOP", "nothing", 0)
        own_lab.valkey.kill()
        with pytest.raises(ConnectionLost):
            await under_way
        with pytest.raises(ConnectionLost):
            await client.execute("PING")
        own_lab.valkey.start()
        await until(own_lab.reactor, lambda: client.connected)
        assert connections == [True, True]
        await client.execute("PUBLISH", "channel", "again")
        await until(own_lab.reactor, lambda: heard)

    own_lab.run(scenario)


def test_closing_while_redis_is_away_ends_the_attempts(own_lab: Lab) -> None:
    async def scenario() -> None:
        client = own_lab.client()
        await client.connect()
        own_lab.valkey.kill()
        await until(own_lab.reactor, lambda: not client.connected)
        before = len(own_lab.reactor.getDelayedCalls())
        await client.close()
        assert len(own_lab.reactor.getDelayedCalls()) == before - 1

    own_lab.run(scenario)
