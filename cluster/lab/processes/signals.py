"""What a command tells a supervisor by a signal."""

from __future__ import annotations

import signal

APPLY = signal.SIGHUP
"""Read the plan again: start what it has more, stop what it has not."""
