"""A package that is a registry: each of its files declares one object, under the name of the file."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """The declarations in the files of one package; deleting a file removes one."""

    def __init__(self, package: str, path: Iterable[str], type: type[T], attribute: str) -> None:
        """Each file has this `attribute`, of this `type`."""
        self._package = package
        self._path = [*path]
        self._type = type
        self._attribute = attribute

    def names(self) -> tuple[str, ...]:
        """The names of the declarations, sorted."""
        return tuple(sorted(found.name for found in iter_modules(self._path)))

    def load(self, wanted: Iterable[str]) -> list[T]:
        """These declarations. Raises ValueError for an unknown name, with the names that exist, and for a file that
        cannot be used.
        """
        wanted = [*wanted]
        unknown = sorted(set(wanted) - set(self.names()))
        if unknown:
            raise ValueError(
                f"no {self._attribute} {', '.join(unknown)} ({self._attribute}s: {', '.join(self.names())})"
            )
        return [self._load(name) for name in wanted]

    def _load(self, name: str) -> T:
        try:
            declared = getattr(import_module(f"{self._package}.{name}"), self._attribute)
            if not isinstance(declared, self._type):
                raise TypeError(f"its `{self._attribute}` is not a {self._type.__name__}")
        except Exception as error:  # the file may be anybody's, and fail in any way
            said = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"{self._path[0]}/{name}.py cannot be loaded: {said}; correct it "
                f"(docs/writing-a-{self._attribute}.md), or remove it"
            ) from error
        return declared
