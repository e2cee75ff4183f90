"""Finch, which is Pidgin in the terminal."""

from __future__ import annotations

from functools import partial

from cluster.lab.programs.base import purple
from cluster.lab.programs.base.program import ClientProgram

client = ClientProgram("finch", ("finch",), "finch", False, partial(purple.prepare, interface="gnt-purple"))
