"""Iteration: one execution of one iterable job, from its saved cursor to its end or interruption (behaviour 16).

Design record. The order of the steps is the contract, and it is the same for sync and async jobs. So it is
written once, as a generator: it yields what is to be called (a hook, the next item, a flush) and is resumed
with the result, or with the error. `drive` calls, `drive_aio` also awaits; neither knows what it does.

The cursor that is saved is that of the item *about to be* processed, and resuming begins with that very item.
So a clean stop, which comes between two items, repeats nothing; a failed item is tried again; and after a
kill -9 the items since the last flush are done once more. Nothing is ever skipped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pillion.errors import ConfigError, Interrupted, RedisError
from pillion.iterable.drive import Action, Steps
from pillion.iterable.state import State
from pillion.wire.iteration import cursor_text, read_cursor, read_state, runtime_text

# Called with the job.
Around = Callable[..., AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]

_END = object()
_log = logging.getLogger("pillion")


class Aborted(BaseException):
    """The job's code has called `abort`. It never leaves the iteration."""

    def __init__(self, *, resume: bool) -> None:
        super().__init__()
        self.resume = resume


class Overtaken(Interrupted):
    """A later execution of this job has saved its cursor: this process has lost the job to another."""


class Hooks(Protocol):
    """What an iteration calls on its job. Each may be a coroutine function."""

    @property
    def interrupted(self) -> bool:
        """Whether the process is quiet or stopping."""
        ...

    def build_enumerator(self, *args: Any, cursor: Any) -> Any:
        """What to go through, from `cursor` on."""
        ...

    def each_iteration(self, item: Any, /, *args: Any) -> Any:
        """Process one item."""
        ...

    def on_start(self) -> Any:
        """The first execution begins."""
        ...

    def on_resume(self) -> Any:
        """A later execution begins."""
        ...

    def on_stop(self) -> Any:
        """An execution ends, but not by an error."""
        ...

    def on_cancel(self) -> Any:
        """The job was cancelled."""
        ...

    def on_complete(self) -> Any:
        """There will be no further execution."""
        ...


@dataclass(slots=True, frozen=True)
class Pace:
    """How often an iteration does what else there is to do, in seconds.

    `flush_every_s`: save the cursor; `look_every_s`: look whether the job was cancelled; `max_runtime_s`: stop
    and go to the end of the queue (None: never); `slow_s`: an item that takes longer gets a warning.
    """

    flush_every_s: float = 5.0
    look_every_s: float = 0.01
    max_runtime_s: float | None = None
    slow_s: float = 25.0


class Iteration:
    """One execution. `steps` is what to do; the attributes are what a job can see of it meanwhile."""

    def __init__(
        self,
        job: Hooks,
        args: tuple[Any, ...],
        state: State,
        pace: Pace,
        around: Around | None = None,
        *,
        is_async: bool = False,
        clock_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.args = args
        self.item: Any = None
        self.cursor: Any = None
        self.executions = 0
        self.runtime_s = 0.0
        self.cancelled_at: int | None = None
        self._job = job
        self._state = state
        self._pace = pace
        self._around = around
        self._is_async = is_async
        self._clock_s = clock_s
        self._now_s = now_s
        self._iterator: Any = None
        self._items = 0
        self._cancel_wanted = False
        self._wish: Interrupted | None = None
        self._began_s = self._flushed_s = self._looked_s = clock_s()
        self._ended = False

    def cancel(self) -> int:
        """The job's own wish to be cancelled, heard before the next item. Returns since when it is (epoch seconds)."""
        if self.cancelled_at is not None:
            return self.cancelled_at
        self._cancel_wanted = True
        return int(self._now_s())

    @property
    def is_cancelled(self) -> bool:
        """Whether the job was cancelled, as far as this process has seen."""
        return self._cancel_wanted or self.cancelled_at is not None

    # -- the order of things ---------------------------------------------------------------------

    def steps(self) -> Steps[None]:
        """The whole execution. Raises Interrupted if the job is to go on later."""
        yield from self._load()
        self._iterator = yield from self._build()
        if self._iterator is None:
            _log.info("%s has nothing to iterate: build_enumerator returned None", self._name)
            return
        advance = _advancing(self._iterator, self._name)
        try:
            completed = yield from self._until_aborted(advance)
            yield from self._finish()
            if completed:
                yield from self._complete()
                return
            if self._cancel_wanted:
                yield from self._cancel()
            yield from self._flush()
        except (GeneratorExit, Overtaken):
            raise
        except BaseException:
            yield from self._save_for_retry()
            raise
        raise self._wish or Interrupted(f"{self._name} goes on later, from cursor {self.cursor!r:.100}")

    def _load(self) -> Steps[None]:
        fields = yield self._state.load
        known = read_state(fields)
        self.cursor = read_cursor(fields)
        self.executions = known.executions + 1
        self.runtime_s = known.runtime_s
        self.cancelled_at = known.cancelled_at
        self._began_s = self._flushed_s = self._looked_s = self._clock_s()

    def _build(self) -> Steps[Any]:
        try:
            return (yield partial(self._job.build_enumerator, *self.args, cursor=self.cursor))
        except Aborted as abort:
            if abort.resume:
                raise Interrupted(f"{self._name} goes on later") from None
            return None

    def _until_aborted(self, advance: Action) -> Steps[bool]:
        """Iterate; whether the job is complete."""
        try:
            yield self._job.on_start if self.executions == 1 else self._job.on_resume
            return (yield from self._iterate(advance))
        except Aborted as abort:
            return not abort.resume
        except Overtaken:
            raise
        except Interrupted as wish:  # raised by the job itself; it may say when it wants to go on
            self._wish = wish
            return False

    def _iterate(self, advance: Action) -> Steps[bool]:
        if self._was_cancelled():
            return (yield from self._cancelled())
        clock_s, pace = self._clock_s, self._pace
        while (pair := (yield advance)) is not _END:
            self._reach(pair)
            began_s = clock_s()
            must_stop = self._must_stop(began_s)
            if must_stop or began_s - self._flushed_s >= pace.flush_every_s:
                yield from self._flush()
            elif began_s - self._looked_s >= pace.look_every_s:
                yield from self._look()
            if self._was_cancelled():
                return (yield from self._cancelled())
            if must_stop:
                return False
            self._items += 1
            yield self._each
            took_s = clock_s() - began_s
            if took_s > pace.slow_s:
                self._warn_slow(took_s)
            if self._cancel_wanted:
                yield from self._cancel()
        if not self._items:
            _log.debug("%s found nothing to iterate", self._name)
        return True

    def _finish(self) -> Steps[None]:
        self._end_clock()
        with suppress(Aborted):  # it has stopped
            yield self._job.on_stop

    def _complete(self) -> Steps[None]:
        with suppress(Aborted):  # it is complete
            yield self._job.on_complete
        try:
            yield self._state.forget
        except RedisError as exc:
            _log.warning("%s is complete, but what it saved is still in Redis, for up to 30 days: %s", self._name, exc)
        _log.debug("%s completed: %d executions, %.3f s", self._name, self.executions, self.runtime_s)

    def _cancelled(self) -> Steps[bool]:
        _log.info("%s was cancelled at %s", self._name, self.cancelled_at)
        yield self._job.on_cancel
        return True

    # -- single steps ----------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return type(self._job).__qualname__

    def _reach(self, pair: Any) -> None:
        try:
            self.item, cursor = pair
        except (TypeError, ValueError):
            hint = "Yield each item together with what to resume from: `yield item, cursor`."
            raise ConfigError(f"{self._name}.build_enumerator", "pairs (item, cursor)", pair, hint) from None
        self.cursor = cursor
        if not self._items:
            cursor_text(cursor)  # a cursor that cannot be saved is found now, not when the process must stop

    def _was_cancelled(self) -> bool:
        return self.cancelled_at is not None

    def _must_stop(self, now_s: float) -> bool:
        limit_s = self._pace.max_runtime_s
        # At least one item is done in each execution, however low the limit: else the job would never end.
        tired = limit_s is not None and self._items > 0 and now_s - self._began_s > limit_s
        return tired or self._job.interrupted

    def _each(self) -> Any:
        if self._around is None:
            return self._job.each_iteration(self.item, *self.args)
        if self._is_async:
            return self._each_aio(self._around(self._job))
        with self._around(self._job):  # type: ignore[union-attr]  # sync jobs have a sync one: see `definition`
            return self._job.each_iteration(self.item, *self.args)

    async def _each_aio(self, around: AbstractContextManager[Any] | AbstractAsyncContextManager[Any]) -> None:
        async with _entered_aio(around):
            result = self._job.each_iteration(self.item, *self.args)
            if hasattr(result, "__await__"):
                await result

    def _flush(self) -> Steps[None]:
        self._flushed_s = self._looked_s = self._clock_s()
        text = cursor_text(self.cursor)
        try:
            flushed = yield partial(self._state.flush, self.executions, text, runtime_text(self.runtime_s))
        except RedisError as exc:
            # The job itself may have no need of Redis: it goes on, and the next flush comes in its time.
            _log.warning("Could not save how far %s has come (cursor %r): %s", self._name, self.cursor, exc)
            return
        if not flushed.saved:
            _log.warning("Another process has gone on with %s in the meantime: stopping here", self._name)
            raise Overtaken
        if flushed.cancelled_at is not None:
            self.cancelled_at = flushed.cancelled_at

    def _look(self) -> Steps[None]:
        self._looked_s = self._clock_s()
        try:
            self.cancelled_at = yield self._state.cancelled_at
        except RedisError:
            return  # the next flush says so, if Redis is still away by then

    def _cancel(self) -> Steps[None]:
        now_s = int(self._now_s())
        self._cancel_wanted = False
        try:
            self.cancelled_at = yield partial(self._state.cancel, now_s)
        except RedisError as exc:
            _log.warning("Could not note in Redis that %s was cancelled: %s", self._name, exc)
            self.cancelled_at = now_s

    def _save_for_retry(self) -> Steps[None]:
        """The job failed, or the process may wait no longer: the item at hand will be the first of the next try."""
        if not self._items:
            return
        self._end_clock()
        try:
            if self._cancel_wanted:
                yield from self._cancel()
            yield from self._flush()
        except (Exception, Overtaken) as exc:  # noqa: BLE001 - what ended the job is more important
            _log.warning("Could not save how far %s has come: %s", self._name, exc)

    def _end_clock(self) -> None:
        if not self._ended:
            self._ended = True
            self.runtime_s += self._clock_s() - self._began_s

    def _warn_slow(self, took_s: float) -> None:
        _log.warning(
            "One item of %s took %.1f s, longer than a process has to stop (timeout, %g s): "
            "at such a moment the item would be interrupted and done again. Make the items smaller.",
            self._name, took_s, self._pace.slow_s,
        )  # fmt: skip

    # -- the end of the enumerator ---------------------------------------------------------------

    def close(self) -> None:
        """Let the enumerator close what it has open."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()

    async def aclose(self) -> None:
        """The same for a job on an event loop."""
        aclose = getattr(self._iterator, "aclose", None)
        if aclose is None:
            self.close()
        else:
            await aclose()


@asynccontextmanager
async def _entered_aio(around: Any) -> AsyncGenerator[None]:
    """A context manager of either kind as an async one."""
    if isinstance(around, AbstractAsyncContextManager):
        async with around:
            yield
    else:
        with around:
            yield


def _advancing(iterator: Any, name: str) -> Action:
    """What brings the next pair, or _END."""
    if isinstance(iterator, Iterator):
        return partial(next, iterator, _END)
    if isinstance(iterator, AsyncIterator):
        return partial(anext, iterator, _END)
    hint = "Make it a generator, or return one of pillion.iterable, such as `sequence(ids, cursor)`."
    raise ConfigError(f"{name}.build_enumerator", "an iterator of (item, cursor), or None", iterator, hint)
