"""A room with its owner in it, and a guest of the other domain."""

from __future__ import annotations

import pytest

from tests.client import Client
from tests.unit.services.rooms.play import JULIET, ROMEO, Play


@pytest.fixture
def play() -> Play:
    return Play()


@pytest.fixture
def romeo(play: Play) -> Client:
    """The owner of the room, in it."""
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo")
    return romeo


@pytest.fixture
def juliet(play: Play, romeo: Client) -> Client:
    """In the room too, from the other domain."""
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.silence(romeo, juliet)
    return juliet
