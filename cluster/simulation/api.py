"""The door to simulations, for commands, tests and programs. It is quick to import: each call imports what it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cluster.lab.errors import BadInput
from cluster.lab.plans import check_modules
from cluster.simulation.router_kind import RouterKind as RouterKind
from cluster.topology.presets import PresetName as PresetName

if TYPE_CHECKING:
    from cluster.lab.verify.progress import Observer
    from cluster.lab.verify.read import ScenarioFile
    from cluster.lab.verify.scenario import Scenario
    from cluster.simulation.costs import Costs
    from cluster.simulation.recording import Recording as Recording
    from cluster.simulation.recording import Watcher
    from cluster.simulation.report import Played, SimulationReport
    from cluster.topology.plan import Plan

DOMAIN_BYTES = 45_000
"""Measured memory of a domain."""
DEVICE_BYTES: dict[RouterKind, int] = {"memory": 33_000, "redis": 80_000}
"""Measured memory of an online device, and a fifth more: client, both ends of the connection, session and contacts, and
what the storage keeps of them. What is written, and kept in archives, is not in it."""
PROCESS_BYTES = 100 << 20
"""Measured memory of a process with a small run, and what it keeps of it."""
SHARE = 0.8
"""The share of the free memory that a run may take."""


def simulate(
    plan: Plan,
    *,
    seed: int = 1,
    duration_s: float = 3600.0,
    people: int = 0,
    troubles: int = 0,
    router: RouterKind = "memory",
    costs: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
    is_stopped: Callable[[], bool] = lambda: False,
    recording: Recording | None = None,
) -> SimulationReport:
    """Run the plan's network in virtual time, and account for every message.

    `people`: number of accounts that have clients, 0 for what the topology says; `troubles`: number of crashes, pauses
    and partitions; `router`: what carries stanzas, in memory or through a simulated Redis; `costs`: a file of service
    times, without which nothing takes time; `tell` gets the progress; once `is_stopped` is true, the report covers the
    run so far; `recording`: see `record`. The same arguments give the same digest.
    Raises BadInput for what cannot be simulated.
    """
    from cluster.simulation.lab import SimulatedLab
    from cluster.simulation.population import with_people
    from cluster.simulation.run import Course, Simulation

    check(plan, router)
    count = people_in(plan, people)
    if not count:
        raise BadInput(f"{plan.topology} has no accounts; say how many people there are (--people)")
    check_memory(plan, count, router)
    lab = SimulatedLab(with_people(plan, count, seed), seed, router, _read(costs), recording)
    course = Course(range(count), range(troubles), duration_s, duration_s)
    return Simulation(lab, course).run(tell, is_stopped)


def play(
    plan: Plan,
    scenario: Scenario,
    *,
    seed: int,
    progress: Observer,
    router: RouterKind = "memory",
    costs: Path | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
    recording: Recording | None = None,
) -> Played:
    """Run a scenario of `xmpplab verify` on the plan's network in virtual time; its steps begin at moments that the
    seed chooses. The same arguments give the same digest.

    Once `is_stopped` is true, the report is of the run so far. Raises BadInput for what cannot be simulated.
    """
    from cluster.simulation import scenario as scenarios
    from cluster.simulation.lab import SimulatedLab

    check(plan, router)
    scenarios.check(plan, scenario, router)
    lab = SimulatedLab(plan, seed, router, _read(costs), recording, scenarios.KEPT_HOPS)
    return scenarios.play(lab, scenario, scenarios.schedule(scenario, seed), progress, is_stopped)


def _read(costs: Path | None) -> Costs | None:
    from cluster.simulation.costs import read

    return read(costs) if costs is not None else None


def simulate_seeds(
    plan: Plan,
    seeds: Sequence[int],
    *,
    tell: Callable[[str], None],
    is_stopped: Callable[[], bool],
    people: int = 0,
    **how: Any,
) -> Iterator[SimulationReport]:
    """`simulate` with each seed, on all cores; the reports in the order of the seeds, and those so far once
    `is_stopped` is true."""
    from cluster.simulation.spread import cores, results, with_seed

    router = how.get("router", "memory")
    check(plan, router)
    needed, free = _memory(plan, people_in(plan, people), router)
    most = min(cores(), max(1, int(free / (needed + PROCESS_BYTES))))
    return results(with_seed(simulate, plan=plan, people=people, **how), seeds, tell, is_stopped, most)


def play_seeds(
    plan: Plan,
    scenario: Scenario,
    seeds: Sequence[int],
    *,
    router: RouterKind,
    costs: Path | None,
    tell: Callable[[str], None],
    is_stopped: Callable[[], bool],
) -> Iterator[Played]:
    """`play` with each seed, as `simulate_seeds`."""
    from cluster.simulation import scenario as scenarios
    from cluster.simulation.spread import results, with_seed

    check(plan, router)
    scenarios.check(plan, scenario, router)
    run = with_seed(play_shown, plan=plan, scenario=scenario, router=router, costs=costs)
    return results(run, seeds, tell, is_stopped)


def play_shown(
    plan: Plan,
    scenario: Scenario,
    *,
    seed: int,
    router: RouterKind,
    costs: Path | None,
    tell: Callable[[str], None],
    is_stopped: Callable[[], bool],
    recording: Recording | None = None,
) -> Played:
    """`play`, whose progress `tell` gets in one line."""
    from cluster.simulation.scenario import Shown

    how: dict[str, Any] = {"router": router, "costs": costs, "is_stopped": is_stopped, "recording": recording}
    return play(plan, scenario, seed=seed, progress=Shown(tell, seed), **how)


@contextmanager
def record(plan: Plan, folder: Path | None, watcher: Watcher | None = None) -> Iterator[Recording]:
    """A recording for one run, which follows every stanza and has the same digest as without.

    `folder`: is left as that of a lab that is down, in place of an earlier recording; None: the recording ends with the
    context. Raises BadInput where something else is in it.
    """
    from cluster.lab.errors import of_system
    from cluster.lab.folder import LABS, RECORDED, LabFolder
    from cluster.simulation.recording import Recording, Unwatched

    with TemporaryDirectory(prefix="xmpplab-") as temporary:
        kept = LabFolder(Path(temporary, plan.name) if folder is None else folder)
        if kept.path.parent.name == LABS:
            raise BadInput(f"{kept.path} is the place of a running lab; name a folder outside {LABS}")
        try:
            if kept.journal.exists() and {each.name for each in kept.path.iterdir()} <= RECORDED:
                kept.remove()
            elif kept.path.exists() and any(kept.path.iterdir()):
                raise BadInput(f"{kept.path} has other files than a recording; name another folder")
            recording = Recording(kept, plan, watcher or Unwatched())
        except OSError as error:
            raise BadInput(f"{kept.path}: {of_system(error)}; name another folder") from None
        try:
            yield recording
        finally:
            recording.close()


def shrink_scenario(
    file: ScenarioFile,
    plan: Plan,
    *,
    seed: int,
    broken: Collection[str],
    router: RouterKind = "memory",
    tell: Callable[[str], None] = lambda text: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """The smallest scenario that still breaks one of these promises with this seed, as the document of a file.

    `broken`: of the failures of its report. Once `is_stopped` is true, the smallest one so far.
    """
    from cluster.simulation.shrink import Trials, of_scenario

    return of_scenario(file, plan, seed, router, broken, Trials(tell, is_stopped))


def shrink(
    plan: Plan,
    *,
    report: SimulationReport,
    duration_s: float,
    people: int,
    troubles: int,
    router: RouterKind = "memory",
    tell: Callable[[str], None] = lambda text: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The smallest run that still breaks a promise as this one of `simulate` did, as the document of a scenario.

    With it, the accounts that the topology does not have, and their contacts.
    """
    from cluster.simulation.population import accounts, with_people
    from cluster.simulation.report import promise_of
    from cluster.simulation.run import Course
    from cluster.simulation.shrink import Trials, of_people

    count, known = (
        people_in(plan, people),
        {f"{each.localpart}@{server.domain}" for server, each in accounts(plan)},
    )
    course = Course(range(count), range(troubles), duration_s, duration_s)
    broken, trials = [promise_of(each) for each in report.broken], Trials(tell, is_stopped)
    document, left = of_people(with_people(plan, count, report.seed), report.seed, router, course, broken, trials)
    added = [person for person in left if str(person.jid) not in known]
    return document, {str(each.jid): [str(contact.jid) for contact in each.contacts] for each in added}


def check(plan: Plan, router: RouterKind) -> None:
    """Raises BadInput that lists all parts of the plan that cannot be simulated, with remedies."""
    from cluster.simulated_redis import lua

    if router == "redis" and not lua.is_here():
        raise BadInput(lua.REMEDY)
    ours = {node.name for node in plan.ours}
    foreign = [node for node in plan.servers if node.name not in ours]
    found = [f"server {node.name} is of kind {node.kind}, a program of its own; make it xmpplab" for node in foreign]
    found += [
        f"network {each.name} is a real one; leave `external` out, so that it is simulated"
        for each in plan.networks
        if each.is_external
    ]
    if any(node.asks_outside for node in plan.servers):
        found.append("`resolver: system` asks for domains that are not simulated; leave it out")
    if found:
        raise BadInput(f"{plan.topology} cannot be simulated:\n" + "\n".join(f"  {each}" for each in found))
    check_modules(plan)


def with_population(plan: Plan, preset: PresetName) -> Plan:
    """The plan with this population, in place of its own."""
    import msgspec

    return msgspec.structs.replace(plan, population={"preset": preset})


def people_in(plan: Plan, people: int) -> int:
    """The number of people of a run: `people`, or what the topology says, or one for each account."""
    from cluster.simulation.population import accounts

    return people or int(plan.population.get("people", 0)) or len(accounts(plan))


def devices_of(plan: Plan, people: int) -> float:
    """The number of devices of this many people."""
    from cluster.topology.population import population

    return people * sum(number * share for number, share in enumerate(population(plan.population).devices, 1))


def _memory(plan: Plan, people: int, router: RouterKind) -> tuple[float, float]:
    """The bytes that a run needs, and those that may be taken."""
    import psutil

    needed = len(plan.servers) * DOMAIN_BYTES + devices_of(plan, people) * DEVICE_BYTES[router]
    return needed, psutil.virtual_memory().available * SHARE


def check_memory(plan: Plan, people: int, router: RouterKind) -> None:
    """Raises BadInput where the run needs more memory than is free."""
    needed, free = _memory(plan, people, router)
    if needed > free:
        raise BadInput(
            f"{len(plan.servers):,} domains with {people:,} people and {devices_of(plan, people):,.0f} devices need "
            f"about {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB may be taken; simulate fewer people "
            "(--people) or domains"
        )
