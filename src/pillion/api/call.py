"""The calls of the data API as they are seen from outside: `queue.size()` and `await queue.size.aio()`.

A method is written once, as a plan, and says what it costs:

    @call("LLEN", cost="O(1)")
    def size(self) -> Plan[int]:
        return (yield from ask(ops.queue_size(self.name)))

Its docstring, `queue.size.explain()` and the table in docs/api/costs.md are made from that, and a
test compares it with what Redis saw.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from pillion.api import plan as plans
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, Stream

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class _HasFleet(Protocol):
    @property
    def fleet(self) -> Fleet: ...


S = TypeVar("S", bound=_HasFleet)


@dataclass(slots=True, frozen=True)
class Cost:
    """What a call asks of Redis.

    `commands` are all that it may send, those of its scripts included; `cost` is their order of growth
    for Redis, with its letters explained; `trips` the number of round trips.
    """

    commands: tuple[str, ...]
    cost: str
    trips: str = "1"

    def __str__(self) -> str:
        trips = "1 round trip" if self.trips == "1" else f"round trips: {self.trips}"
        return f"{', '.join(self.commands)}; {self.cost}; {trips}"


class Described:
    """A method that knows its docstring and its cost."""

    def __init__(self, make: Callable[..., Any], cost: Cost) -> None:
        self.make = make
        self.cost = cost
        self.__wrapped__ = make
        self.__name__ = make.__name__
        self.__qualname__ = make.__qualname__
        self.__doc__ = f"{(make.__doc__ or '').rstrip()}\n\nRedis: {cost}."

    def __set_name__(self, owner: type, name: str) -> None:
        """Called as the class is made."""
        self.__name__ = name
        self.__qualname__ = f"{owner.__qualname__}.{name}"

    def explain(self) -> str:
        """The Redis commands behind this call, and what they cost (F208)."""
        return str(self.cost)


class BoundCall(Generic[P, R]):
    """A call on one object: `()` blocks, `.aio()` is to be awaited. Both raise RedisError."""

    def __init__(self, described: Described, make: Callable[P, Plan[R]], fleet: Fleet) -> None:
        self._described, self._make, self._fleet = described, make, fleet
        self.__doc__ = described.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask, from a thread."""
        return plans.run(self._make(*args, **kwargs), self._fleet.storage)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask, from an event loop."""
        return await plans.run_aio(self._make(*args, **kwargs), self._fleet.async_storage)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan[R]:
        """The call as a part of another plan: `yield from queue.size.plan()`."""
        return self._make(*args, **kwargs)

    def explain(self) -> str:
        """The Redis commands behind this call, and what they cost (F208)."""
        return self._described.explain()


class BoundStream(Generic[P, T]):
    """A call with many results on one object: `for x in ...()`, `async for x in ....aio()`."""

    def __init__(self, described: Described, make: Callable[P, Stream[T]], fleet: Fleet) -> None:
        self._described, self._make, self._fleet = described, make, fleet
        self.__doc__ = described.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Iterate, from a thread."""
        return plans.stream(self._make(*args, **kwargs), self._fleet.storage)

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        """Iterate with `async for`."""
        return plans.stream_aio(self._make(*args, **kwargs), self._fleet.async_storage)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Stream[T]:
        """The stream as a part of another plan."""
        return self._make(*args, **kwargs)

    def explain(self) -> str:
        """The Redis commands behind this call, and what they cost (F208)."""
        return self._described.explain()


class Call(Described, Generic[S, P, R]):
    """The descriptor behind `@call`."""

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: S, owner: type) -> BoundCall[P, R]: ...
    def __get__(self, instance: S | None, owner: type) -> Self | BoundCall[P, R]:
        """Bind to an object."""
        if instance is None:
            return self
        return BoundCall(self, self.make.__get__(instance), instance.fleet)


class StreamCall(Described, Generic[S, P, T]):
    """The descriptor behind `@stream_call`."""

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: S, owner: type) -> BoundStream[P, T]: ...
    def __get__(self, instance: S | None, owner: type) -> Self | BoundStream[P, T]:
        """Bind to an object."""
        if instance is None:
            return self
        return BoundStream(self, self.make.__get__(instance), instance.fleet)


class OwnerCall(Described, Generic[P, R]):
    """The descriptor behind `@owner_call`: a call on the class itself, such as `Queue.all()`."""

    def __get__(self, instance: object, owner: type) -> BoundOwnerCall[P, R]:
        """The same for the class and its objects."""
        return BoundOwnerCall(self, self.make)


class BoundOwnerCall(Generic[P, R]):
    """A call on a class: `()` blocks, `.aio()` is to be awaited. `fleet` says which Redis, as in `Fleet`."""

    def __init__(self, described: Described, make: Callable[Concatenate[Fleet, P], Plan[R]]) -> None:
        self._described, self._make = described, make
        self.__doc__ = described.__doc__

    def __call__(self, fleet: Fleet | None = None, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask, from a thread."""
        fleet = fleet or DEFAULT
        return plans.run(self._make(fleet, *args, **kwargs), fleet.storage)

    async def aio(self, fleet: Fleet | None = None, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask, from an event loop."""
        fleet = fleet or DEFAULT
        return await plans.run_aio(self._make(fleet, *args, **kwargs), fleet.async_storage)

    def explain(self) -> str:
        """The Redis commands behind this call, and what they cost (F208)."""
        return self._described.explain()


def call(
    *commands: str, cost: str, trips: str = "1"
) -> Callable[[Callable[Concatenate[S, P], Plan[R]]], Call[S, P, R]]:
    """Make a method out of a plan. `commands`, `cost` and `trips` as in `Cost`."""
    return lambda make: Call(make, Cost(commands, cost, trips))


def stream_call(
    *commands: str, cost: str, trips: str
) -> Callable[[Callable[Concatenate[S, P], Stream[T]]], StreamCall[S, P, T]]:
    """Make a method with many results out of a plan."""
    return lambda make: StreamCall(make, Cost(commands, cost, trips))


def owner_call(
    *commands: str, cost: str, trips: str = "1"
) -> Callable[[Callable[Concatenate[Fleet, P], Plan[R]]], OwnerCall[P, R]]:
    """Make a call on a class out of a function that takes the fleet first: `all = owner_call(...)(_all)`."""
    return lambda make: OwnerCall(make, Cost(commands, cost, trips))
