"""Which lines are a job's own, and a tracer that says when each is about to run."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple


class Spot(NamedTuple):
    """The moment before a line runs for the `hit`th time in one run (counted from 1)."""

    path: str
    function: str
    line: int
    hit: int


class OwnCode:
    """The code of a job: all methods of its class and of its bases outside of Pillion, or its function.

    `also` are more functions, classes or modules whose lines count.
    """

    def __init__(self, job: Any, also: Iterable[Any] = (), *, whole_module: bool = False) -> None:
        self._codes: set[CodeType] = set()
        self._paths: set[str] = set()
        for thing in (job, *also):
            self._add(thing)
        if whole_module:
            self._add(inspect.getmodule(job if isinstance(job, type) else job.__wrapped__))

    def __contains__(self, code: CodeType) -> bool:
        return code in self._codes or code.co_filename in self._paths

    def _add(self, thing: Any) -> None:
        if isinstance(thing, ModuleType):
            self._paths.add(str(thing.__file__))
            return
        functions = _methods(thing) if isinstance(thing, type) else [thing]
        for function in functions:
            self._codes.update(_codes(function))


def _methods(owner: type[Any]) -> Iterator[Any]:
    for one in owner.__mro__:
        if one is not object and one.__module__.partition(".")[0] != "pillion":
            yield from vars(one).values()


def _codes(function: Any) -> Iterator[CodeType]:
    """The code of a function, of those it wraps, and of those defined in it."""
    while function is not None:
        inner = function.fget if isinstance(function, property) else getattr(function, "__func__", function)
        code = getattr(inner, "__code__", None)
        if isinstance(code, CodeType):
            yield from _nested(code)
        function = getattr(inner, "__wrapped__", None)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


class Tracer:
    """For `sys.settrace`: calls `reached(spot)` before each line of the own code runs, `most` times for a line."""

    def __init__(self, own: OwnCode, reached: Callable[[Spot], None], most: int) -> None:
        self._own = own
        self._reached = reached
        self._most = most
        self._hits: Counter[tuple[CodeType, int]] = Counter()

    def __call__(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        """A function is called: shall its lines be traced?"""
        return self._line if frame.f_code in self._own else None

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            place = (frame.f_code, frame.f_lineno)
            self._hits[place] += 1
            if self._hits[place] <= self._most:
                code = frame.f_code
                self._reached(Spot(code.co_filename, code.co_qualname, frame.f_lineno, self._hits[place]))
        return self._line
