# mypy: allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `mixed`: users of several scenarios at the same time, with a weight for each.

xmpplab load mixed --users 50 --time 30s --weights chat=5,archive=1
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from locust import User, events

from loadtests.archive import ArchiveUser
from loadtests.chat import ChatUser
from loadtests.gateway import GatewayUser
from loadtests.login import LoginUser
from loadtests.pep import PepUser
from loadtests.presence import PresenceUser
from loadtests.rooms import RoomUser
from loadtests.roster import RosterUser

CLASSES: dict[str, type[User]] = {
    "chat": ChatUser, "presence": PresenceUser, "roster": RosterUser, "login": LoginUser, "archive": ArchiveUser,
    "pep": PepUser, "rooms": RoomUser, "gateway": GatewayUser,
}  # fmt: skip
"""By the names of their scenarios."""
DEFAULT = "chat=6,presence=1,roster=1,login=1,archive=1"
"""What every lab can do."""


def weigh(text: str) -> str:
    """Take `SCENARIO=WEIGHT,…`: give the classes these weights, and the others none, so that locust leaves them out."""
    found = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        if name not in CLASSES or not weight.isascii() or not weight.isdigit():
            names = ", ".join(CLASSES)
            raise ArgumentTypeError(f"{part!r} is no weight; write for example {DEFAULT} (scenarios: {names})")
        found[name] = int(weight)
    if not any(found.values()):
        raise ArgumentTypeError(f"{text!r} gives no scenario a weight; write for example {DEFAULT}")
    for name, user_class in CLASSES.items():
        user_class.weight = found.get(name, 0)
    return text


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Only where a run begins, not on its page."""
    hidden: dict[str, Any] = {"include_in_web_ui": False}
    parser.add_argument(
        "--weights", type=weigh, default=DEFAULT, metavar="SCENARIO=WEIGHT,...", **hidden,
        help=f"How many of the users do what, in proportion; scenarios: {', '.join(CLASSES)}. Default: {DEFAULT}",
    )  # fmt: skip
