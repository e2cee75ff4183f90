"""What is logged of work that failed in Redis and is done again later."""

from __future__ import annotations

import pytest
from hiredis import ReplyError
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.storage import log_failed
from cluster.redisio.refusal import error_reply


class Log(Logger):
    """Keeps what is said: the level, and whether a traceback goes with it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, bool]] = []

    def emit(self, level: object, format: str | None = None, **values: object) -> None:
        self.said.append((str(getattr(level, "name", "")), "log_failure" in values))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionLost(), []),
        (error_reply("MISCONF Errors writing to the AOF file: No space left on device"), [("warn", False)]),
        (error_reply("OOM command not allowed script: on @user_script:3."), [("warn", False)]),
        (ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value"), [("critical", True)]),
        (ValueError("a fault of ours"), [("critical", True)]),
    ],
)
def test_only_a_fault_of_ours_has_a_traceback(error: Exception, said: list[tuple[str, bool]]) -> None:
    log = Log()
    log_failed(log, "Looking for the other nodes", Failure(error))
    assert log.said == said
