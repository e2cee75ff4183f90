"""The faults that a link can have: one fault, one file, and this folder is the registry."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cluster.router.fault import Fault


@cache
def known() -> dict[str, Fault]:
    """The faults by their keys, in the order in which they act on a stanza: by the names of the files. Raises
    ValueError if two have one key."""
    found: dict[str, Fault] = {}
    for name in sorted(module.name for module in iter_modules(__path__)):
        fault: Fault = import_module(f"{__name__}.{name}").fault
        if fault.key in found:
            raise ValueError(f"two faults are called {fault.key!r}; one of them is in {name}.py")
        found[fault.key] = fault
    return found
