"""Extensions of the server: one XEP, one file, and this folder is the registry. Deleting a file removes a feature."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from cluster.host.module import Module
from cluster.server.context import ServerModule


def names() -> tuple[str, ...]:
    """The modules there are, sorted."""
    return tuple(sorted(found.name for found in iter_modules(__path__)))


def defaults() -> tuple[str, ...]:
    """Those that are loaded where a topology names none, sorted."""
    return tuple(name for name, module in zip(names(), load(names()), strict=True) if module.by_default)


def load(wanted: tuple[str, ...]) -> list[ServerModule]:
    """The declarations of these modules. Raises ValueError for an unknown name, with the names that exist, and
    for a file that cannot be used."""
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        raise ValueError(f"no module {', '.join(unknown)}; there are: {', '.join(names())}")
    return [_load(name) for name in wanted]


def _load(name: str) -> ServerModule:
    """Raises ValueError for a file that cannot be used, whatever is wrong with it."""
    try:
        module = import_module(f"{__name__}.{name}").module
        if not isinstance(module, Module):
            raise TypeError("its `module` is no Module")
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{__path__[0]}/{name}.py cannot be loaded: {said}; mend it (docs/writing-a-module.md), or take it out"
        ) from error
    return module
