"""Client programs that the lab starts with an account: one program, one file, and this folder is the registry.

A file ends with `client = ClientProgram(…)`; deleting it removes the program from `xmpplab connect`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cluster.lab.errors import BadInput
from cluster.lab.programs.base.program import ClientProgram


@cache
def known() -> dict[str, ClientProgram]:
    """All programs, by the names that people type. Raises ValueError if two have one name."""
    found: dict[str, ClientProgram] = {}
    for module in sorted(each.name for each in iter_modules(__path__) if not each.ispkg):
        client = getattr(import_module(f"{__name__}.{module}"), "client", None)
        if not isinstance(client, ClientProgram):
            raise ValueError(f"{module}.py declares nothing; write `client = ClientProgram(…)` at its end")
        if found.setdefault(client.name, client) is not client:
            raise ValueError(f"two client programs are called {client.name!r}; one of them is in {module}.py")
    return found


def named(name: str) -> ClientProgram:
    """The program of this name. Raises BadInput with the names that there are."""
    found = known().get(name)
    if found is None:
        raise BadInput(
            f"no client {name!r} (clients: {', '.join(known())}); `xmpplab exec -- COMMAND` runs any program"
        )
    return found
