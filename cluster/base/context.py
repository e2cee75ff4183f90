"""Callbacks in the context (PEP 567) in which they are registered: a Deferred runs them in that of its caller."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any


def in_this_context(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which runs later in the present context; it may be called once."""
    return partial(copy_context().run, call)
