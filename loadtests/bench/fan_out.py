"""What one sends to many, in one domain and in two: messages in rooms, presence, personal events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from cluster.kinds.base.server import AccountSeed, ContactSeed
from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from loadtests.bench import guests, report
from loadtests.bench.compare import in_rounds, start, those_present, turns
from loadtests.bench.copies import Copies
from loadtests.bench.crew import PRESENCE, Crew, crew
from loadtests.bench.hearer import CAPABLE, TUNE, Hearer
from loadtests.bench.ours import running
from loadtests.bench.pair import Contender, Pair, Server
from loadtests.bench.peer import DOMAINS, contender
from loadtests.bench.report import EJABBERD as PEER
from loadtests.bench.report import Target

HERE, THERE = DOMAINS
SERVICE = f"conference.{HERE}"
ROOMS = {
    "groupchat, 100 in one domain": (100, 0),
    "groupchat, 100 in two domains": (50, 50),
    "groupchat, 1,000 in two domains": (500, 500),
}
"""Occupants in the domain of the room, and in the other one; the first one speaks."""
CONTACTS = 50
"""Of one account, in each of the domains."""
PRESENCES, EVENTS = "presence, 100 contacts in two domains", "personal event, 100 subscribers in two domains"
IDLE_ROOMS = 100
SETTLE_S = 2.0
"""Time for servers to come to rest before their memory is read, and to ask the contacts what they want."""
_PUBLISHER = "prospero"

LIMITS = dict.fromkeys((*ROOMS, PRESENCES, EVENTS), 0.25) | {next(iter(ROOMS)): 0.35}
TARGETS = tuple(Target(f"CPU per copy: {name}", f"{name} copy_us", most, PEER) for name, most in LIMITS.items())

_TEXT = (
    b"But, soft! what light through yonder window breaks? It is the east, and Juliet is the sun. "
    b"Arise, fair sun, and kill the envious moon"
)
_NAMES = [f"ariel{number}" for number in range(CONTACTS)]


def _accounts(domain: str) -> tuple[AccountSeed, ...]:
    """The contacts there, and in the first domain the publisher."""
    publisher = (ContactSeed(f"{_PUBLISHER}@{HERE}"),)
    contacts = tuple(AccountSeed(name, "secret", publisher) for name in _NAMES)
    if domain != HERE:
        return contacts
    of_both = tuple(ContactSeed(f"{name}@{each}") for each in DOMAINS for name in _NAMES)
    return (AccountSeed(_PUBLISHER, "secret", of_both), *contacts)


_OURS = {
    "servers": {"s1": {"domain": HERE, "rooms": SERVICE}, "s2": {"domain": THERE}},
    "accounts": {
        f"{account.localpart}@{domain}": {"contacts": [contact.jid for contact in account.contacts]}
        for domain in DOMAINS
        for account in _accounts(domain)
    },
}
_MORE = {
    HERE: {"rooms": (SERVICE,), "eventing": True, "accounts": _accounts(HERE)},
    THERE: {"eventing": True, "accounts": _accounts(THERE)},
}
CONTENDERS = (
    Contender("xmpplab", "", lambda folder: running(folder, list(DOMAINS), _OURS)),
    contender(EJABBERD, _MORE),
    contender(PROSODY, _MORE),
)


def fan_out(rounds: int, turns_each: int, for_s: float, tell: Callable[[str], None]) -> str:
    """Measure, save the figures, and return the table."""
    present = those_present(CONTENDERS, tell)
    found = in_rounds(lambda: _round(present, turns_each, for_s, tell), rounds, tell)
    tell(f"all figures: {report.save('fan-out', {'machine': report.machine(), 'found': found})}")
    return report.table("one to many", TARGETS, found)


def _round(
    contenders: Sequence[Contender], turns_each: int, for_s: float, tell: Callable[[str], None]
) -> dict[str, report.Figures]:
    with ExitStack() as up:
        pairs = {each.name: start(each, up, tell) for each in contenders}
        # all crews first: `select` takes only low numbers of files
        crews = {name: up.enter_context(crew(pair, tls=False)) for name, pair in pairs.items()}
        tell("  clients enter the rooms")
        sides = {name: Side(crews[name], pair) for name, pair in pairs.items()}
        for name in next(iter(sides.values())).copies:
            tell(f"  {name}")
            for side in sides.values():
                side.copies[name].begin()
            for side in turns([*sides.values()], turns_each):
                side.load(name, for_s)
    return {name: side.found for name, side in sides.items()}


class Side:
    """A pair with its rooms and contacts, and its figures: of each a value for each turn."""

    def __init__(self, clients: Crew, pair: Pair) -> None:
        self._crew = clients
        self._pair = pair
        self.found: defaultdict[str, list[float]] = defaultdict(list)
        here, there = pair.servers
        near = self._guests(here, "near", max(inside for inside, _ in ROOMS.values()))
        far = self._guests(there, "far", max(outside for _, outside in ROOMS.values()))
        self._measure_idle_rooms(near[0])
        self.copies: dict[str, Copies] = {}
        for number, (name, (inside, outside)) in enumerate(ROOMS.items()):
            before_kib, guests_of = self._memory_kib(), [*near[:inside], *far[:outside]]
            self.copies[name] = self._room(f"room{number}@{SERVICE}", guests_of)
        self.found["occupant_kib"].append((self._memory_kib() - before_kib) / len(guests_of))  # in the largest one
        self._add_contacts(here, there)

    def load(self, name: str, for_s: float) -> None:
        """Load it, and record the figures under this name."""
        measured = self.copies[name].measure(for_s)
        figures = {"copy_us": measured.cpu_us, "first_ms": measured.first_ms, "last_ms": measured.last_ms}
        for unit, value in figures.items():
            self.found[f"{name} {unit}"].append(value)

    def _guests(self, server: Server, name: str, count: int) -> list[Hearer]:
        return [self._hearer(server, f"{name}{number}", register=True) for number in range(count)]

    def _hearer(self, server: Server, name: str, *, register: bool = False, presence: bytes = PRESENCE) -> Hearer:
        return Hearer(*self._crew.log_in(server, name, register=register, presence=presence))

    def _copies(self, publisher: Hearer, write: Callable[[bytes], bytes], receivers: Sequence[Hearer]) -> Copies:
        return Copies(self._crew, publisher.line, write, receivers, self._pair.processes)

    def _measure_idle_rooms(self, owner: Hearer) -> None:
        before_kib = self._memory_kib()
        for number in range(IDLE_ROOMS):
            room = f"idle{number}@{SERVICE}"
            guests.open_room(self._crew, owner, room)
            guests.leave(owner, room)
        self.found["room_kib"].append((self._memory_kib() - before_kib) / IDLE_ROOMS)

    def _room(self, room: str, inside: Sequence[Hearer]) -> Copies:
        speaker, *others = inside
        guests.open_room(self._crew, speaker, room)
        guests.enter(self._crew, room, others)
        begin, end = f"<message to='{room}' type='groupchat' id='m'><body>".encode(), _TEXT + b"</body></message>"
        return self._copies(speaker, lambda mark: begin + mark + end, inside)

    def _memory_kib(self) -> int:
        self._crew.rest(SETTLE_S)
        return self._pair.processes.memory_kib()

    def _add_contacts(self, here: Server, there: Server) -> None:
        presence = f"<presence>{CAPABLE}</presence>".encode()
        publisher = self._hearer(here, _PUBLISHER)
        contacts = [self._hearer(server, name, presence=presence) for server in (here, there) for name in _NAMES]
        self.copies[PRESENCES] = self._copies(
            publisher,
            lambda mark: b"<presence><show>away</show><status>%b</status></presence>" % (mark + _TEXT),
            contacts,
        )
        begin = f"<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{TUNE}'>"
        begin += f"<item id='current'><tune xmlns='{TUNE}'><artist>"
        end = b"</artist></tune></item></publish></pubsub></iq>"
        self._crew.rest(SETTLE_S)
        self.copies[EVENTS] = self._copies(publisher, lambda mark: begin.encode() + mark + _TEXT + end, contacts)
