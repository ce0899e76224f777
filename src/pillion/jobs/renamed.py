"""Calls that jobs have in other libraries: here each says what to write instead.

Without them a `charge.delay(42)` would end in "'FunctionJob' object has no attribute 'delay'", which helps nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_PUSH = "write perform_async(...) instead"
_PUSH_WITH_OPTIONS = "write perform_async(...), perform_in(seconds, ...) or set(queue=...).perform_async(...) instead"
_RETRY = (
    "raise the error, and the job is tried again as its retry= and retry_in say; "
    "raise pillion.Postponed(seconds) to run it later and spend no retry"
)


class Renamed:
    """A name that a job does not have here. An attribute of that name, also in a mixin behind Job, goes before it."""

    def __init__(self, instead: str) -> None:
        self._instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, obj: object, owner: type) -> Any:
        for base in owner.__mro__:
            own = vars(base).get(self._name, self)
            if not isinstance(own, Renamed):
                return own.__get__(obj, owner) if hasattr(own, "__get__") else own
        raise AttributeError(f"A job has no {self._name!r} here: {self._instead}.")


class OtherCalls:
    """The names, for jobs and for what `set` returns. Type checkers refuse them by themselves."""

    __slots__ = ()

    if not TYPE_CHECKING:
        delay = Renamed(_PUSH)
        delay_for = Renamed("write perform_in(seconds, ...) instead")
        delay_until = Renamed("write perform_at(moment, ...) instead")
        apply_async = Renamed(_PUSH_WITH_OPTIONS)
        apply = Renamed("write perform_inline(...) instead")
        send = Renamed(_PUSH)
        send_with_options = Renamed(_PUSH_WITH_OPTIONS)
        retry = Renamed(_RETRY)
