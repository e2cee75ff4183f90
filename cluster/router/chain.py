"""The faults of one link, one after the other."""

from __future__ import annotations

from random import Random

from cluster.router.fault import Passage
from cluster.router.faults import known
from cluster.router.settings import FaultSettings
from cluster.xmpp.stanza import Stanza


class Chain:
    """The faults of a link, which act on each stanza in order. No code asks for a particular fault."""

    def __init__(self, settings: FaultSettings, link: str) -> None:
        """`link` names the link, so that each has its own randomness. Raises KeyError, TypeError, ValueError for
        invalid values."""
        self._effects = [
            (key, fault.effect(settings.faults[key]), Random(f"{settings.seed}:{link}:{key}"))
            for key, fault in known().items()
            if key in settings.faults
        ]
        unknown = settings.faults.keys() - known().keys()
        if unknown:
            raise KeyError(f"no fault {', '.join(unknown)}")

    def fate(self, stanza: Stanza, sent_s: float, now_s: float) -> tuple[list[Passage], str]:
        """The arrivals of a stanza that came now; if there are none, also the fault that lost it."""
        passages = [Passage(stanza, sent_s)]
        for key, effect, rng in self._effects:
            passages = [result for passage in passages for result in effect.pass_on(passage, now_s, rng)]
            if not passages:
                return [], key
        return passages, ""

    def closed_until(self, now_s: float) -> float:
        """The time at which the link is open again; `now_s` if it is open."""
        return max((effect.closed_until(now_s) for _, effect, _ in self._effects), default=now_s)

    def __bool__(self) -> bool:
        """False without faults."""
        return bool(self._effects)
