"""The test's side of programs such as `slixmpp_client.py`: start one, tell it what to do, wait for what it sees."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness import PATIENCE_S

WINDOW_S = 120.0
"""The same for a program with windows, which takes long to start on a busy machine."""


class RealProgram:
    """A process that takes orders and reports as JSON lines. As a context manager it ends with the block."""

    def __init__(self, script: str, *arguments: str, runs_on: str = sys.executable, **environment: str) -> None:
        """`script` is a file of this folder; `environment` is beside that of the tests."""
        self._process = subprocess.Popen(
            [runs_on, str(Path(__file__).with_name(script)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._seen: queue.Queue[dict[str, Any]] = queue.Queue()
        self._kept: list[dict[str, Any]] = []
        self._errors: list[str] = []
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._seen.put(json.loads(line))

    def _read_errors(self) -> None:
        assert self._process.stderr
        self._errors.extend(self._process.stderr)

    def do(self, what: str, **arguments: Any) -> None:
        """Give an order."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()

    def see(
        self,
        event: str,
        where: Callable[[dict[str, Any]], object] | None = None,
        patience_s: float = PATIENCE_S,
        **fields: Any,
    ) -> dict[str, Any]:
        """The first event of this kind with these fields, seen earlier or still to come; each is taken once."""
        if "from_" in fields:
            fields["from"] = fields.pop("from_")

        def fits(seen: dict[str, Any]) -> bool:
            named = seen["event"] == event and all(seen.get(key) == value for key, value in fields.items())
            return named and (where is None or bool(where(seen)))

        for seen in self._kept:
            if fits(seen):
                self._kept.remove(seen)
                return seen
        while True:
            try:
                seen = self._seen.get(timeout=patience_s)
            except queue.Empty:
                raise AssertionError(
                    f"no {event} with {fields} came; kept: {self._kept}; stderr: {''.join(self._errors)}"
                ) from None
            if fits(seen):
                return seen
            self._kept.append(seen)

    def unseen(self, event: str) -> list[dict[str, Any]]:
        """Events of this kind that came so far and were not taken."""
        while not self._seen.empty():
            self._kept.append(self._seen.get())
        return [seen for seen in self._kept if seen["event"] == event]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class RealClient(RealProgram):
    """One slixmpp client."""

    def __init__(
        self, jid: str, password: str, address: str, ca_file: str = "", script: str = "slixmpp_client.py"
    ) -> None:
        self.jid = jid
        host, _, port = address.rpartition(":")
        super().__init__(script, jid, password, host, port, ca_file)
