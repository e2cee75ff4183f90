"""Pidgin."""

from __future__ import annotations

from functools import partial

from cluster.lab.programs.base import purple
from cluster.lab.programs.base.program import ClientProgram

client = ClientProgram("pidgin", ("pidgin",), "pidgin", True, partial(purple.prepare, interface="gtk-gaim"))
