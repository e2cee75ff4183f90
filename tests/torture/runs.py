"""The runs: what is done to the lab while messages flow between all accounts."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from tests.torture.client import Client
from tests.torture.lab import PASSWORD, Lab
from tests.torture.ledger import Ledger, Totals

QUIET_S = 15.0
"""What has not arrived when nothing came for this time is lost."""

LOOK_EVERY_S = 0.05
ACCOUNTS_PER_DOMAIN = 2
MAX_UNDER_WAY = 2_000
"""Of the soak: as many messages as the servers take, but no more at once."""


def topology(name: str, nodes: dict[str, int]) -> str:
    """Domains by their numbers of nodes, each with two accounts."""
    servers = [f"  s{i}: {{domain: {domain}, nodes: {count}}}" for i, (domain, count) in enumerate(nodes.items(), 1)]
    accounts = [f"  {account}:" for account in accounts_of(nodes)]
    return "\n".join([f"name: {name}", "servers:", *servers, "accounts:", *accounts, ""])


def accounts_of(nodes: dict[str, int]) -> list[str]:
    """The accounts of these domains."""
    return [f"u{number}@{domain}" for domain in nodes for number in range(ACCOUNTS_PER_DOMAIN)]


@dataclass
class Result:
    """Of one run."""

    name: str
    about: str
    totals: Totals
    seconds: float
    resumed: int
    begun: int
    done: list[str] = field(default_factory=list)
    """What was done to the lab, in order."""
    growth: float = 0.0
    """Of the memory of all nodes, from the middle of the sending to its end."""


class Play:
    """One run: the clients, the schedule, the ledger."""

    def __init__(self, lab: Lab, nodes: dict[str, int], seconds: float, rate: float, seed: int) -> None:
        """`rate`: messages a second, of all together; 0: as many as arrive."""
        self.lab = lab
        self.nodes = nodes
        self.seconds = seconds
        self.random = Random(seed)
        self.done: list[str] = []
        self.ledger = Ledger()
        self._rate = rate
        self._seed = seed
        self._begun_s = 0.0
        self._memory: list[int] = []
        self.clients = {
            account: Client(account, PASSWORD, lab.addresses(account.split("@")[1]), lab.ca_file, self.ledger)
            for account in accounts_of(nodes)
        }

    @property
    def now_s(self) -> float:
        """Since the first message."""
        return time.monotonic() - self._begun_s

    async def run(self, disturb: Callable[[Play], Awaitable[None]]) -> None:
        """Send for as long as it lasts while the lab is disturbed; then wait until everything has settled."""
        tasks = [asyncio.create_task(client.run()) for client in self.clients.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*(client.is_ready.wait() for client in self.clients.values())), 60)
            self._begun_s = time.monotonic()
            disturbing = asyncio.create_task(disturb(self))
            watching = asyncio.create_task(self._watch_memory())
            await self._send()
            await disturbing
            watching.cancel()
            await self._settle()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def growth(self) -> float:
        """Of the memory, from the middle to the end; 0 where it was not looked at often enough."""
        middle = self._memory[len(self._memory) // 2] if self._memory else 0
        return self._memory[-1] / middle - 1 if middle else 0.0

    async def _send(self) -> None:
        bodies = self._bodies()
        accounts = list(self.clients)
        sent = 0
        while self.now_s < self.seconds:
            due = MAX_UNDER_WAY - len(self.ledger.missing) if not self._rate else int(self.now_s * self._rate) - sent
            for _ in range(max(0, due)):
                sender, receiver = self.random.sample(accounts, 2)
                self.clients[sender].send(receiver, next(bodies))
                sent += 1
            await asyncio.sleep(0.01)

    def _bodies(self) -> Iterator[str]:
        """Each has a beginning and a content that no other has."""
        number = 0
        while True:
            digest = hashlib.sha256(f"{self._seed}:{number}".encode()).hexdigest()
            yield f"{digest[:6]}{number:010} {digest * 3}"
            number += 1

    async def _settle(self) -> None:
        last, since_s = -1, time.monotonic()
        while time.monotonic() - since_s < QUIET_S:
            for client in self.clients.values():
                client.ask()
            await asyncio.sleep(LOOK_EVERY_S * 4)
            if not self.ledger.missing and not any(client.unacknowledged for client in self.clients.values()):
                await asyncio.sleep(1.0)  # what comes twice does so by then
                return
            if (count := len(self.ledger.seen) + len(self.ledger.acknowledged)) != last:
                last, since_s = count, time.monotonic()

    async def _watch_memory(self) -> None:
        while True:
            with suppress(RuntimeError):  # Redis is away just now
                self._memory.append(await asyncio.to_thread(self.lab.memory_bytes))
            await asyncio.sleep(2.0)

    async def pause(self, seconds: float) -> bool:
        """Wait; False when the sending is over by then."""
        await asyncio.sleep(max(0.0, min(seconds, self.seconds - self.now_s)))
        return self.now_s < self.seconds


async def multi_kill(play: Play) -> None:
    """Two or three processes at once, every few seconds, Redis among them."""
    while await play.pause(play.random.uniform(2.0, 5.0)):
        pids = await asyncio.to_thread(play.lab.pids)
        victims = play.random.sample(sorted(pids), min(len(pids), play.random.choice([2, 3])))
        play.done.append(f"{play.now_s:.1f} s kill {', '.join(victims)}")
        play.lab.kill([pids[victim] for victim in victims])
        await asyncio.to_thread(_await_all, play.lab)


async def scale(play: Play) -> None:
    """Another number of nodes, every few seconds; clients hear where their domain is served now."""
    while await play.pause(play.random.uniform(1.0, 3.0)):
        server, count = play.random.choice(["s1", "s2"]), play.random.choice([1, 2, 3])
        play.done.append(f"{play.now_s:.1f} s scale {server}={count}")
        await asyncio.to_thread(play.lab.command, "scale", f"{server}={count}")
        for account, client in play.clients.items():
            client.addresses = await asyncio.to_thread(play.lab.addresses, account.split("@")[1])


async def soak(play: Play) -> None:
    """Nothing is done."""


def _await_all(lab: Lab) -> None:
    """Until every node answers again."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        with suppress(RuntimeError):
            if all(node["state"] == "running" for node in lab.ps()["nodes"]):
                return
        time.sleep(0.2)  # noqa: TID251  # between two looks at another program


@dataclass(frozen=True)
class Kind:
    """What a run is."""

    about: str
    disturb: Callable[[Play], Awaitable[None]]
    nodes: dict[str, int]
    rate: float


_KILLS = "two or three processes killed at once, every few seconds"
_THREE = {"a.lit": 1, "b.lit": 1, "c.lit": 1}

KINDS = {
    "multi-kill": Kind(f"three domains: {_KILLS}", multi_kill, _THREE, 300.0),
    "nodes-kill": Kind(f"two domains of two nodes: {_KILLS}", multi_kill, {"a.lit": 2, "b.lit": 2}, 300.0),
    "scale": Kind("domains scaled to 1, 2 or 3 nodes, every few seconds", scale, {"a.lit": 2, "b.lit": 1}, 300.0),
    "soak": Kind("three domains: as many messages as arrive, nothing disturbed", soak, _THREE, 0.0),
}


def run(name: str, lab: Lab, seconds: float, seed: int) -> Result:
    """Run it in a lab that is up."""
    kind = KINDS[name]
    play = Play(lab, kind.nodes, seconds, kind.rate, seed)
    asyncio.run(play.run(kind.disturb))
    clients = play.clients.values()
    return Result(
        name, kind.about, play.ledger.totals(), play.now_s, sum(client.resumed for client in clients),
        sum(client.begun - 1 for client in clients), play.done, play.growth,
    )  # fmt: skip
