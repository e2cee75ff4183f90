"""Requests about the whole lab: its parts, rooms, certificates and settings."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.web.requests.ask import Ask, Page

SECRETS = ("password", "secret")
"""Settings whose values the page does not show."""


class Whole(Ask, frozen=True, tag="overview"):
    """Nodes, components, services and links: an `Overview`."""

    def run(self, page: Page) -> Any:
        return page.lab.overview()

    def words(self) -> tuple[str, ...]:
        return ("ps",)


class Rooms(Ask, frozen=True, tag="rooms"):
    """The public rooms: a `RoomInfo` each."""

    def run(self, page: Page) -> Any:
        return page.lab.rooms()


class Certificates(Ask, frozen=True, tag="certificates"):
    """The certificates of the lab: a `CertificateView` each."""

    def run(self, page: Page) -> Any:
        return page.lab.certificates()


class Settings(Ask, frozen=True, tag="settings"):
    """The topology with all defaults and addresses, as YAML, without passwords."""

    def run(self, page: Page) -> Any:
        import yaml

        plan = page.lab.plan
        text = yaml.safe_dump(_without_secrets(plan.shown), sort_keys=False, allow_unicode=True, width=120)
        return {"topology": plan.topology, "text": text}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "…" if key in SECRETS and found else _without_secrets(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    return msgspec.to_builtins(value)
