"""How a type checker sees the pushes of an iterable job: their arguments are those of `each_iteration`.

The twin of what `jobs.base` has for `perform`: the `__get__` of each call asks for "a class whose
`each_iteration` takes an item and then P".
"""

from __future__ import annotations

from typing import Any, ParamSpec, Protocol

from pillion.jobs.calls import PerformAsync, PerformIn, PerformInline
from pillion.jobs.setter import SetCall

P = ParamSpec("P")


class Iterates(Protocol[P]):
    """A class with `each_iteration`, sync or async."""

    def each_iteration(self, item: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Process one item."""
        ...


class IteratePerformAsync:
    """Push now. Returns the jid, or None if client middleware stopped it; `.aio(...)` to be awaited."""

    def __get__(self, obj: object, owner: type[Iterates[P]]) -> PerformAsync[P]:
        return PerformAsync(_setter(owner))


class IteratePerformIn:
    """Push for later: seconds, a timedelta, an aware datetime or epoch seconds, then the arguments."""

    def __get__(self, obj: object, owner: type[Iterates[P]]) -> PerformIn[P]:
        return PerformIn(_setter(owner))


class IteratePerformInline:
    """Go through all of it here and now, with middleware. True if it ran, None if middleware stopped it."""

    def __get__(self, obj: object, owner: type[Iterates[P]]) -> PerformInline[P]:
        return PerformInline(_setter(owner))


class IterateSet:
    """The same job with other options for its next pushes."""

    def __get__(self, obj: object, owner: type[Iterates[P]]) -> SetCall[P]:
        return SetCall(_setter(owner))


def _setter(owner: Any) -> Any:
    return owner.__setter__
