"""With which exit code the containers of a lab died, as the engine tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.lab.containers.engine import NODE, STATE, Engine
from cluster.lab.folder import LabFolder


class Events:
    """An engine that remembers three deaths: of a node, of a helper of `xmpplab netem`, and a good end."""

    def info(self) -> dict[str, str]:
        return {"SystemTime": "2026-11-29T06:00:00.123Z"}

    def events(self, filters: dict[str, Any], **_: Any) -> list[dict[str, Any]]:
        keys = {label.partition("=")[0] for label in filters["label"]}
        died = [({STATE: "/lab", NODE: "s1"}, "137"), ({STATE: "/lab"}, "2"), ({STATE: "/lab", NODE: "s2"}, "0")]
        return [
            {"Actor": {"Attributes": {**labels, "exitCode": code}}} for labels, code in died if keys <= labels.keys()
        ]


def test_what_is_no_node_has_no_end() -> None:
    assert Engine(Events(), LabFolder(Path("/lab"))).ends() == {"s1": 137}
