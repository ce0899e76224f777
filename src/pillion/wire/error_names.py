"""ErrorNames: errors listed by class or by name, compared as text (F040, F100).

Names, because the module that defines an error need not be loaded where it is listed. A listed error means its
subclasses too. A name is what one writes after an import: `"requests.Timeout"` also means the class
`requests.exceptions.Timeout`, and a bare `"Timeout"` any class of that name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pillion.errors import ConfigError

ErrorList = Iterable[type[BaseException] | str] | type[BaseException] | str


class ErrorNames:
    """Tells whether an error is one of those listed. What it found out about a class is remembered."""

    def __init__(self, listed: ErrorList, option: str = "errors") -> None:
        entries: tuple[Any, ...] = (listed,)
        if isinstance(listed, Iterable) and not isinstance(listed, str | type):
            entries = tuple(listed)
        for entry in entries:
            if not (isinstance(entry, str) and entry.strip(".")) and not _is_error(entry):
                raise ConfigError(option, 'error classes or their names, such as "requests.Timeout"', entry)
        self._classes = tuple(entry for entry in entries if isinstance(entry, type))
        self._names = tuple(entry.rpartition(".")[::2] for entry in entries if isinstance(entry, str))
        self._known: dict[type, bool] = {}

    def match(self, exc: BaseException) -> bool:
        """Whether `exc` is listed, or a subclass of one that is."""
        kind = type(exc)
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = issubclass(kind, self._classes) or any(map(self._is_named, kind.__mro__))
        return known

    def _is_named(self, kind: type) -> bool:
        return any(
            name == kind.__qualname__.rpartition(".")[2] and _is_inside(kind, place) for place, name in self._names
        )


def _is_error(entry: object) -> bool:
    return isinstance(entry, type) and issubclass(entry, BaseException)


def _is_inside(kind: type, place: str) -> bool:
    """Is `place` ("requests", "shop.errors", "shop.Client") a package, module or class that `kind` is in?"""
    path = f"{kind.__module__}.{kind.__qualname__}".rpartition(".")[0]
    return not place or path == place or path.startswith(f"{place}.")
