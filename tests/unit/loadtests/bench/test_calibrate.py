"""The costs of steps, from what was done and how long it took."""

from __future__ import annotations

from random import Random

import pytest

from loadtests.bench.calibrate import least_squares


def test_exact_measurements_give_the_exact_costs() -> None:
    costs, chance = (30.0, 0.0, 2.5), Random(7)
    rows = [[chance.uniform(0, 10) for _ in costs] for _ in range(20)]
    totals = [sum(cost * number for cost, number in zip(costs, row, strict=True)) for row in rows]
    found = least_squares([[number / total for number in row] for row, total in zip(rows, totals, strict=True)])
    assert found == pytest.approx(costs, abs=1e-6)


def test_no_cost_is_negative() -> None:
    assert least_squares([[1.0, 0.0], [2.0, 1.0]]) == pytest.approx([0.6, 0.0])


def test_a_step_that_nobody_did_costs_nothing() -> None:
    assert least_squares([[2.0, 0.0]]) == pytest.approx([0.5, 0.0])
