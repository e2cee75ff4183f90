from __future__ import annotations

import pytest

from cluster.networks.smsc.terminal import use


def test_there_is_nobody_to_answer() -> None:
    with pytest.raises(ValueError, match="nobody has written to this phone"):
        use(lambda verb, arguments: [], "+393331234567", "reply", ["Ay me"], "text")
