from __future__ import annotations

import pytest

from cluster.cli import phone
from cluster.lab.errors import BadInput


def test_there_is_nobody_to_answer() -> None:
    with pytest.raises(BadInput, match="nothing to reply to: this phone has received no text"):
        phone._reply(lambda verb, arguments: [], "+393331234567", "Ay me")
