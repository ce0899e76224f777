"""Plans: what a call of the data API does, without saying whether a thread or an event loop does it.

Design record. Every call exists twice, blocking and to be awaited, and must do the same. So it is
written once, as a generator: it yields what to send to Redis and is resumed with the answer. `run` and
`run_aio` drive it; nothing else in this package talks to Redis.

    def size(self) -> Plan[int]:
        return (yield from ask(ops.queue_size(self.name)))

A call with many results yields each of them as an `Item` in between.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from pillion.storage.ops.base import Op

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(slots=True, frozen=True)
class Pipeline:
    """Ops for one round trip; `atomic` puts them between MULTI and EXEC."""

    ops: Sequence[Op[Any]]
    atomic: bool = False


@dataclass(slots=True, frozen=True)
class Item(Generic[T_co]):
    """One result of a stream."""

    value: T_co


Step = Op[Any] | Pipeline
Plan = Generator[Step, Any, T]
Stream = Generator[Step | Item[T], Any, None]


class SyncStorage(Protocol):
    """What `run` needs of a storage."""

    def run(self, op: Op[T]) -> T:
        """Carry out one op."""
        ...

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out ops in one round trip."""
        ...

    def transaction(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out ops between MULTI and EXEC."""
        ...


class AsyncStorage(Protocol):
    """What `run_aio` needs of a storage."""

    async def run(self, op: Op[T]) -> T:
        """Carry out one op."""
        ...

    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out ops in one round trip."""
        ...

    async def transaction(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out ops between MULTI and EXEC."""
        ...


# -- for the authors of plans ------------------------------------------------------------------------


def ask(op: Op[T]) -> Plan[T]:
    """`reply = yield from ask(op)`: one op, one round trip."""
    reply: T = yield op
    return reply


def ask_all(ops: Sequence[Op[Any]], *, atomic: bool = False) -> Plan[list[Any]]:
    """`replies = yield from ask_all(ops)`: one round trip; as a transaction if `atomic`. No ops, no trip."""
    if not ops:
        return []
    replies: list[Any] = yield Pipeline(ops, atomic)
    return replies


def together(plans: Sequence[Plan[Any]]) -> Plan[list[Any]]:
    """Carry out plans side by side; returns their results in order.

    What each of them asks next goes in one round trip with what the others ask, so it takes as many trips as the
    longest of them. A transaction goes in a trip of its own. The first error ends all of them; where one part may
    fail without the others, its plan asks with `tolerant` ops.
    """
    results: list[Any] = [None] * len(plans)
    steps: dict[int, Step] = {}
    try:
        for index, plan in enumerate(plans):
            _resume(index, plan, None, steps, results)
        while steps:
            asked = _one_trip(steps)
            ops = [op for step in asked.values() for op in _ops(step)]
            replies: list[Any] = yield Pipeline(ops, _is_atomic(next(iter(asked.values()))))
            for index, step in asked.items():
                own, replies = replies[: len(_ops(step))], replies[len(_ops(step)) :]
                del steps[index]
                _resume(index, plans[index], own if isinstance(step, Pipeline) else own[0], steps, results)
    finally:
        for plan in plans:
            plan.close()
    return results


def _one_trip(steps: dict[int, Step]) -> dict[int, Step]:
    """The steps that can go together: all that are no transaction, else the first."""
    free = {index: step for index, step in sorted(steps.items()) if not _is_atomic(step)}
    return free or dict([min(steps.items())])


def _is_atomic(step: Step) -> bool:
    return isinstance(step, Pipeline) and step.atomic


def _ops(step: Step) -> Sequence[Op[Any]]:
    return step.ops if isinstance(step, Pipeline) else (step,)


def _resume(index: int, plan: Plan[Any], reply: Any, steps: dict[int, Step], results: list[Any]) -> None:
    """Let one of several plans go on; note what it asks next, or its result."""
    try:
        steps[index] = plan.send(reply)
    except StopIteration as end:
        results[index] = end.value


# -- driving them ------------------------------------------------------------------------------------


def run(plan: Plan[T], storage: SyncStorage) -> T:
    """Carry out a plan from a thread; errors of Redis are raised at the plan's `yield`."""
    resume: Callable[[], Step] = partial(next, plan)
    try:
        while True:
            resume = _answer(plan, resume(), storage)
    except StopIteration as end:
        result: T = end.value
        return result


async def run_aio(plan: Plan[T], storage: AsyncStorage) -> T:
    """Carry out a plan from an event loop."""
    resume: Callable[[], Step] = partial(next, plan)
    try:
        while True:
            resume = await _answer_aio(plan, resume(), storage)
    except StopIteration as end:
        result: T = end.value
        return result


def stream(plan: Stream[T], storage: SyncStorage) -> Iterator[T]:
    """The items of a stream, one by one; Redis is asked as they are taken."""
    resume: Callable[[], Step | Item[T]] = partial(next, plan)
    try:
        while True:
            step = resume()
            if isinstance(step, Item):
                yield step.value
                resume = partial(next, plan)
            else:
                resume = _answer(plan, step, storage)
    except StopIteration:
        return
    finally:
        plan.close()


async def stream_aio(plan: Stream[T], storage: AsyncStorage) -> AsyncGenerator[T]:
    """The items of a stream for `async for`."""
    resume: Callable[[], Step | Item[T]] = partial(next, plan)
    try:
        while True:
            step = resume()
            if isinstance(step, Item):
                yield step.value
                resume = partial(next, plan)
            else:
                resume = await _answer_aio(plan, step, storage)
    except StopIteration:
        return
    finally:
        plan.close()


def _answer(plan: Generator[T, Any, Any], step: Step, storage: SyncStorage) -> Callable[[], T]:
    """Carry out one step; returns how to resume the plan, with the reply or with the error."""
    try:
        if not isinstance(step, Pipeline):
            return partial(plan.send, storage.run(step))
        return partial(plan.send, (storage.transaction if step.atomic else storage.run_all)(step.ops))
    except Exception as exc:  # noqa: BLE001 - the plan decides
        return partial(plan.throw, exc)


async def _answer_aio(plan: Generator[T, Any, Any], step: Step, storage: AsyncStorage) -> Callable[[], T]:
    try:
        if not isinstance(step, Pipeline):
            return partial(plan.send, await storage.run(step))
        return partial(plan.send, await (storage.transaction if step.atomic else storage.run_all)(step.ops))
    except Exception as exc:  # noqa: BLE001 - the plan decides
        return partial(plan.throw, exc)
