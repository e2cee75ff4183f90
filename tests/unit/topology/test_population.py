"""The section `population`: what it may say, and what a preset says where it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.lab.api import BadInput, read_plans
from cluster.topology.population import Population, population
from cluster.topology.presets import PRESETS, RHYTHMS
from tests.live.running_lab import ROOT

SERVERS = "name: people\nservers:\n  s1: {domain: montague.lit}\npopulation: "


def own(text: str, folder: Path) -> Population:
    """The population of a topology with this section."""
    file = folder / "people.yaml"
    file.write_text(SERVERS + text)
    return population(read_plans(file)[0].population)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_section_of_its_own(name: str, tmp_path: Path) -> None:
    assert own(f"{{preset: {name}}}", tmp_path) == Population.model_validate({"preset": name, **PRESETS[name]})  # type: ignore[index]


def test_own_keys_win_over_the_preset_and_that_over_the_defaults(tmp_path: Path) -> None:
    found = own("{preset: mobile, session: 10m}", tmp_path)
    assert found.session == 600, "its own"
    assert found.devices == [0.55, 0.35, 0.1], "of the preset"
    assert found.answer == 0.7, "the default"


def test_a_topology_without_the_section_has_the_office(tmp_path: Path) -> None:
    assert own("", tmp_path) == Population()


@pytest.mark.parametrize("rhythm", RHYTHMS.values())
def test_a_rhythm_is_a_day_with_a_busiest_hour(rhythm: list[int]) -> None:
    assert (len(rhythm), max(rhythm)) == (24, 100)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("{preset: mobil}", "'mobil' is not known; allowed: office, chatty, mobile, teaching-room"),
        ("{sessoin: 5m}", "unknown key; did you mean 'session'?"),
        ("{session: 0s}", "write more than 0s, such as 2m"),
        ("{session: never}", "'never' is not allowed here; write a time such as"),
        ("{answer: 70}", "70 is not allowed here; write a share from 0% to 100%"),
        ("{devices: ['60%', '30%']}", "they must add up to 100%, for at most 5 devices"),
        ("{rhythm: night}", "'night' is not a rhythm; write steady, office, evening, or a list of 24 shares"),
        ("{rhythm: ['100%']}", "write a share for each of the 24 hours of a day"),
        ("{people: -1}", "it should be greater than or equal to 0"),
        ("{mail: 60%, sms: 50%}", "mail and sms together are more than 100% of the conversations"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_is_allowed(text: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        own(text, tmp_path)
    assert remedy in str(refused.value)
    assert "people.yaml:4:" in str(refused.value)


def test_the_page_has_what_each_preset_says() -> None:
    page = (ROOT / "docs" / "simulate.md").read_text()
    for name, keys in PRESETS.items():
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{name}` | ") and line.count("|") == 4]
        said = ", ".join(f"`{key}: {_written(value)}`" for key, value in keys.items())
        assert row.split("|")[3].strip() == said


def _written(value: object) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)
