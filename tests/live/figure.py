"""People of RFC 3920's figure talk in an exported lab: to each other, and to a phone behind the gateway."""

from __future__ import annotations

from cluster.lab.wait import wait_until
from tests.live.clients import RealClient
from tests.live.running_lab import RunningLab

PHONE = "+393331234567"
PATIENCE_S = 120.0


def check_talk(lab: RunningLab, s1: str, s2: str, ca_file: str) -> None:
    """`s1`, `s2`: addresses for clients of montague.lit and capulet.lit."""
    with (
        RealClient("romeo@montague.lit/pda", "secret", s1, ca_file) as romeo,
        RealClient("juliet@capulet.lit/balcony", "secret", s2, ca_file) as juliet,
    ):
        romeo.see("session")
        juliet.see("session")
        romeo.do("message", to="juliet@capulet.lit/balcony", body="Wilt thou leave me?")
        juliet.see("message", body="Wilt thou leave me?")
        romeo.do("message", to=f"{PHONE}@sms.montague.lit", body="But, soft!")
        # where this machine reaches them, its commands do
        assert wait_until(lambda: "But, soft!" in lab.command("phone", "fc1", "inbox"), PATIENCE_S)
