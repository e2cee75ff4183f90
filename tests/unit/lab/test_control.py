"""Requests of commands to a server, through Redis."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cluster.base.request import Request, Requests, Status, verb_of
from cluster.gateways.mail.program import MailProgram
from cluster.gateways.sms.program import SmsProgram
from cluster.kinds import gateways, networks
from cluster.lab.control.readiness import answers, status_question
from cluster.lab.control.requests import SERVER, Reply, encoded
from cluster.lab.control.server import ControlServer
from cluster.lab.state import NodeKind
from cluster.networks.faults import Faults
from cluster.networks.mailhost.administration import MailHostAdministration
from cluster.networks.requests import FaultSet
from cluster.networks.smsc.administration import SmscAdministration
from cluster.redisio.acl import part_rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.server.administration import Administration
from loadtests.bench.ports import free_ports
from tests.harness import PATIENCE_S, ReactorThread, Valkey, until
from tests.network import watched_log
from tests.unit.lab.plan import make_plan

DOMAIN = "capulet.lit"


class Echo(Request[str], frozen=True, tag="echo"):
    text: str


class Operations:
    """What may be asked."""

    async def status(self) -> dict[str, bool]:
        return {"ready": True}

    async def echo(self, text: str) -> str:
        return text


class Lab:
    """A server that is asked, as its own user of Redis."""

    def __init__(self, thread: ReactorThread, valkey: Valkey, keys: Keys) -> None:
        self.run, self.reactor = thread.run, thread.reactor
        self.admin, self.keys = valkey.admin, keys
        self.user = f"{keys.prefix}:{DOMAIN}"
        valkey.make_user(self.user, part_rules(keys, DOMAIN, "pw"))
        url = RedisUrl.parse(valkey.url_of(self.user.replace(":", "%3A"), "pw"))
        self.client = RedisClient(self.reactor, url, lambda: 0.0)
        self._number = 0

    async def start(self) -> None:
        await self.client.connect()
        await ControlServer(self.client, self.keys, DOMAIN, (Operations(), (Status, Echo))).start()

    def ask(self, text: str) -> str:
        """Give it a request: where its reply will be."""
        self._number += 1
        raw = encoded(str(self._number), Echo(text))
        self.admin.rpush(self.keys.control(DOMAIN), raw)
        self.admin.publish(self.keys.control(DOMAIN), "")
        return self.keys.control_reply(DOMAIN, str(self._number))

    async def answer(self, where: str) -> object:
        await until(self.reactor, lambda: self.admin.llen(where))
        reply = msgspec.json.decode(self.admin.lpop(where), type=Reply)
        return msgspec.json.decode(reply.ok)

    async def close(self) -> None:
        await self.client.close()


@pytest.fixture
def lab(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> Iterator[Lab]:
    lab = Lab(reactor_thread, valkey, keys)
    yield lab
    lab.run(lab.close)


def test_requests_are_answered_also_those_that_waited(lab: Lab) -> None:
    async def scenario() -> list[object]:
        early = lab.ask("early")
        await lab.start()
        return [await lab.answer(each) for each in (early, lab.ask("a"), lab.ask("b"))]

    assert lab.run(scenario) == ["early", "a", "b"]


def test_after_an_error_reply_of_redis_requests_are_answered_again(lab: Lab) -> None:
    async def scenario() -> None:
        await lab.start()
        with watched_log() as failures:
            for refused in ("lpop", "rpush"):
                lab.admin.execute_command("ACL", "SETUSER", lab.user, f"-{refused}")
                lab.ask("refused")
                await until(lab.reactor, lambda: failures)
                failures.clear()
                lab.admin.execute_command("ACL", "SETUSER", lab.user, f"+{refused}")
                assert await lab.answer(lab.ask("again")) == "again"

    lab.run(scenario)


def test_what_is_no_request_does_not_end_it(lab: Lab) -> None:
    async def scenario() -> None:
        await lab.start()
        lab.admin.rpush(lab.keys.control(DOMAIN), "{}", "junk", b"\xff")
        assert await lab.answer(lab.ask("behind it")) == "behind it"

    lab.run(scenario)


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
def test_a_request_while_a_connection_was_away_is_answered(lab: Lab, kind: str) -> None:
    async def scenario() -> None:
        await lab.start()
        assert await lab.answer(lab.ask("before")) == "before"
        lab.admin.execute_command("CLIENT", "KILL", "USER", lab.user, "TYPE", kind)
        assert await lab.answer(lab.ask("meanwhile")) == "meanwhile"

    lab.run(scenario)


def test_a_server_is_ready_while_redis_lets_it_answer(
    reactor_thread: ReactorThread, own_valkey: Valkey, tmp_path: Path
) -> None:
    """One whose user Redis has forgotten offers streams, on which nobody can log in."""
    [port] = free_ports(1)
    own_valkey.admin.config_set("port", port)
    plan = make_plan(tmp_path)
    lab = Lab(reactor_thread, own_valkey, Keys.of_lab(plan.name))
    url = f"redis://{lab.user.replace(':', '%3A')}:pw@127.0.0.1:{port}"
    question = status_question(url, plan, DOMAIN)
    lab.run(lab.start)
    assert answers(question, PATIENCE_S)
    own_valkey.admin.acl_deluser(lab.user)
    assert not answers(question, 0.2)
    lab.run(lab.close)


ADMINISTRATIONS: dict[NodeKind, type] = {
    "server": Administration,
    "sms": SmsProgram,
    "mail": MailProgram,
    "smsc": SmscAdministration,
    "mailhost": MailHostAdministration,
}


OF_KIND: dict[NodeKind, Requests] = {
    "server": SERVER,
    **{name: kind.requests for name, kind in {**gateways(), **networks()}.items()},
}


@pytest.mark.parametrize("kind", OF_KIND)
def test_every_part_can_do_what_it_is_asked(kind: NodeKind) -> None:
    """The operations take the fields of their requests, and no operation is out of reach."""
    requests: Requests = OF_KIND[kind]
    for request in requests:
        operation = getattr(ADMINISTRATIONS[kind], verb_of(request))
        assert inspect.iscoroutinefunction(operation)
        arguments = inspect.signature(operation).parameters
        if not any(each.kind is each.VAR_KEYWORD for each in arguments.values()):
            assert [*arguments][1:] == [*request.__struct_fields__], request
    operations = {
        name
        for name, member in inspect.getmembers(ADMINISTRATIONS[kind], inspect.iscoroutinefunction)
        if not name.startswith("_") and name not in ("start", "stop")
    }
    assert operations == {verb_of(request) for request in requests}


def test_the_faults_that_are_set_are_those_of_a_network() -> None:
    assert FaultSet.__struct_fields__ == Faults.__struct_fields__
