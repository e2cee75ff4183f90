"""A measurement is repeated while the machine has other work to do."""

from __future__ import annotations

from itertools import count

from loadtests.bench.quiet import TRIES, Quiet


class Machine:
    """Whose other work comes with the measurements: so many seconds with each."""

    def __init__(self, *others_s: float) -> None:
        self.used_s = 0.0
        self.told: list[str] = []
        self._others_s = list(others_s)
        self.quiet = Quiet(lambda: 0.0, self.told.append, lambda: self.used_s, count().__next__)

    def measure(self) -> float:
        self.used_s += self._others_s[0]
        return self._others_s.pop(0)


def test_the_first_undisturbed_result_counts() -> None:
    machine = Machine(5.0, 3.0, 0.0, 9.0)
    assert machine.quiet.measured("a flow", machine.measure) == 0.0
    assert machine.told == []


def test_the_least_disturbed_of_all_tries_counts_where_each_is_disturbed() -> None:
    others_s = [5_000.0 + number for number in range(TRIES)]
    machine = Machine(*reversed(others_s))
    assert machine.quiet.measured("a flow", machine.measure) == others_s[0]
    [told] = machine.told
    assert told.startswith("  a flow: other work took ")
