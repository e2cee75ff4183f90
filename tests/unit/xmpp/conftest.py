"""How hypothesis works in the tests of the protocol core."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# a busy machine is no bug: only what an example does is judged, never how long it takes
settings.register_profile("xmpplab", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("xmpplab")
