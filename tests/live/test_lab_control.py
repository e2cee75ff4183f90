"""Requests of commands to a server, over a real Valkey."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.lab.control.ask import ask, ask_all
from cluster.lab.control.requests import Request
from cluster.lab.control.server import ControlServer
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.provision.redis import move_in
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.topology.plan import Plan
from tests.harness import ReactorThread, Valkey, until
from tests.unit.lab.plan import make_plan

pytestmark = pytest.mark.live


class Greet(Request[dict[str, str]], frozen=True, tag="greet"):
    localpart: str


class Refuse(Request[None], frozen=True, tag="refuse"): ...


class Stumble(Request[None], frozen=True, tag="stumble"): ...


class Dance(Request[None], frozen=True, tag="dance"):
    """What no server can do."""


class GreetTwice(Request[None], frozen=True, tag="greet"):
    """As another version asks."""

    names: list[str]


class GreetInNumbers(Request[int], frozen=True, tag="greet"):
    """Expects another answer."""

    localpart: str


class Operations:
    """What the server can do."""

    async def greet(self, localpart: str) -> dict[str, str]:
        return {"hello": localpart}

    async def refuse(self) -> None:
        raise ValueError("nobody of that name; `xmpplab user ls` lists the accounts")

    async def stumble(self) -> None:
        raise KeyError("a bug")


class Lab:
    """A lab with one server that answers requests, of s1; s2 is silent."""

    def __init__(self, reactor_thread: ReactorThread, valkey: Valkey, keys: Keys, path: Path) -> None:
        self.plan: Plan = make_plan(path, name=keys.prefix.removeprefix("xmpplab:"), redis_url=valkey.url)
        self.folder = LabFolder(path)
        self.folder.create()
        move_in(self.folder, self.plan)
        # logged in as the server's own user, so that its rights are tested too
        url = RedisUrl.parse(self.folder.secrets()["montague.lit"])
        self.client = RedisClient(reactor_thread.reactor, url, random.random)
        self.control = ControlServer(self.client, keys, "montague.lit", (Operations(), (Greet, Refuse, Stumble)))

    async def start(self) -> None:
        await self.client.connect()
        await self.control.start()

    def ask(self, request: Request[Any]) -> object:
        return ask(self.folder, self.plan, self.plan.servers[0], request)


@pytest.fixture
def lab(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> Iterator[Lab]:
    path = Path(tempfile.mkdtemp(prefix="xmpplab-"))
    lab = Lab(reactor_thread, valkey, keys, path)
    reactor_thread.run(lab.start)
    yield lab
    reactor_thread.run(lab.client.close)
    shutil.rmtree(path)


def test_a_request_is_answered(lab: Lab) -> None:
    assert lab.ask(Greet("romeo")) == {"hello": "romeo"}


def test_requests_are_answered_one_after_the_other(lab: Lab) -> None:
    assert [lab.ask(Greet(str(number))) for number in range(3)] == [{"hello": str(n)} for n in range(3)]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (Refuse(), "nobody of that name; `xmpplab user ls` lists the accounts"),
        (Stumble(), r"stumble failed in the server: KeyError\('a bug'\); see its log"),
        (
            Dance(),
            "montague.lit has no request 'dance', only greet, refuse, stumble; check that command",
        ),
        (GreetTwice([]), "malformed request greet: Object contains unknown field `names`; check that command"),
        (
            GreetInNumbers("romeo"),
            "s1 gave an unexpected answer: Expected `int`, got `object`; check that command and lab",
        ),
    ],
)
def test_what_cannot_be_done_is_said(lab: Lab, request_: Request[Any], answer: str) -> None:
    with pytest.raises(LabError, match=answer):
        lab.ask(request_)
    assert lab.ask(Greet("romeo")) == {"hello": "romeo"}


def test_a_server_answers_again_when_its_connection_was_lost(
    lab: Lab, reactor_thread: ReactorThread, valkey: Valkey, keys: Keys
) -> None:
    user = f"{keys.prefix}:montague.lit"
    assert valkey.admin.execute_command("CLIENT KILL", "USER", user) == 2
    reactor_thread.run(lambda: until(reactor_thread.reactor, lambda: not lab.client.connected))
    assert lab.ask(Greet("romeo")) == {"hello": "romeo"}


def test_a_silent_server_is_named_and_its_request_withdrawn(lab: Lab, valkey: Valkey, keys: Keys) -> None:
    with pytest.raises(LabError, match=r"s2 \(capulet\.lit\) did not answer within 0\.1 s; see .*xmpplab logs s2"):
        ask(lab.folder, lab.plan, lab.plan.servers[1], Greet("juliet"), timeout_s=0.1)
    assert valkey.admin.llen(keys.control("capulet.lit")) == 0


@pytest.mark.parametrize("silent_first", [False, True])
def test_of_all_that_are_asked_those_answer_that_can(
    lab: Lab, valkey: Valkey, keys: Keys, silent_first: bool
) -> None:  # fmt: skip
    """One that is silent uses up the time; the answers of the others are there meanwhile."""
    servers = sorted(lab.plan.ours, key=lambda server: server.name, reverse=silent_first)
    assert ask_all(lab.folder, lab.plan, servers, Greet("romeo"), timeout_s=1.0) == {"s1": {"hello": "romeo"}}
    assert valkey.admin.llen(keys.control("capulet.lit")) == 0


def test_the_admins_url_is_the_one_that_was_given(lab: Lab, valkey: Valkey) -> None:
    assert lab.folder.secrets()[ADMIN] == valkey.url
