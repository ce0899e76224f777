"""IterableJob: a job that goes through many items, can be stopped between any two, and goes on from there.

    class SendNewsletter(IterableJob[int, int]):
        def build_enumerator(self, issue: str, *, cursor: int | None) -> Iterator[tuple[int, int]]:
            return sequence(subscriber_ids(), cursor)

        def each_iteration(self, subscriber_id: int, issue: str) -> None:
            send(subscriber_id, issue)

    SendNewsletter.perform_async("2026-11")

What happens in which order: `iteration`. What to go through: `enumerators`, `queries`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn

from pillion.default import Job
from pillion.iterable import definition
from pillion.iterable.drive import drive, drive_aio
from pillion.iterable.iteration import Aborted, Around, Iteration, Pace
from pillion.iterable.state import NoState, RedisState, State
from pillion.iterable.typed import IteratePerformAsync, IteratePerformIn, IteratePerformInline, IterateSet
from pillion.jobs.inline import InlineContext

# With defaults, so that `IterableJob` may also stand without its parameters. At run time they do nothing.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Item = TypeVar("Item", default=Any)
    Cursor = TypeVar("Cursor", default=Any)
else:
    from typing import TypeVar

    Item = TypeVar("Item")
    Cursor = TypeVar("Cursor")


class IterableJob(Job, Generic[Item, Cursor], abstract=True):
    """The base of jobs that go through many items; options are class keywords, as for every job.

    Write `build_enumerator` and `each_iteration`, never `perform`. Type parameters: the item and its cursor.
    A stop of the process, a deploy for instance, comes between two items: the job goes back to its queue and
    goes on where it was, in whichever process fetches it, a Ruby one with the same job included.

    Attributes for subclasses to set: `max_iteration_runtime_s`: after so many seconds an execution stops and
    goes to the end of its queue, to let others run; None: what the Config says. `flush_every_s`: how often
    the cursor is saved, which is what a kill -9 sets the job back at most. `check_cancelled_every_s`: how often
    it looks whether it was cancelled, 0: before each item.
    """

    max_iteration_runtime_s: ClassVar[float | None] = None
    flush_every_s: ClassVar[float] = 5.0
    check_cancelled_every_s: ClassVar[float] = 0.01

    __to_define__ = definition.NEEDED
    __around__: ClassVar[Around | None] = None
    __iteration__: Iteration | None = None

    perform_async = IteratePerformAsync()  # type: ignore[assignment]
    perform_in = IteratePerformIn()  # type: ignore[assignment]
    perform_at = IteratePerformIn()  # type: ignore[assignment]
    perform_inline = IteratePerformInline()  # type: ignore[assignment]
    perform_sync = IteratePerformInline()  # type: ignore[assignment]
    set = IterateSet()  # type: ignore[assignment]

    if TYPE_CHECKING:
        # Exactly `*args: Any, **kwargs: Any`: only then may a subclass have parameters of its own.
        def build_enumerator(
            self, *args: Any, **kwargs: Any
        ) -> (
            Iterator[tuple[Item, Cursor]]
            | AsyncIterator[tuple[Item, Cursor]]
            | Awaitable[Iterator[tuple[Item, Cursor]] | AsyncIterator[tuple[Item, Cursor]] | None]
            | None
        ):
            """Return what to go through: pairs of an item and its cursor, beginning with the item of `cursor`.

            Called with the arguments of the push and the keyword `cursor`: None in the first execution, else what
            was saved. A cursor is plain JSON and says where *its* item is, not the next one. None instead of an
            iterator: there is nothing to do, and no callback is called.
            """
            ...

        def each_iteration(self, item: Item, /, *args: Any, **kwargs: Any) -> Any:
            """Process one item, with the arguments of the push. What it raises follows the retry rules."""
            ...

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        definition.refuse_perform(cls, IterableJob)
        definition.check_settings(cls)
        abstract = abstract or not definition.is_complete(cls)
        if not abstract:
            cls.__around__ = _static(definition.around_of(cls, IterableJob))
            perform = _perform_aio if definition.is_async(cls) else _perform
            cls.perform = definition.marked(perform(), cls)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        super().__init_subclass__(abstract=abstract, **options)

    # -- to be overridden ------------------------------------------------------------------------

    def on_start(self) -> Any:
        """Override: the first execution begins."""

    def on_resume(self) -> Any:
        """Override: a later execution begins, after an interruption or an error."""

    def on_stop(self) -> Any:
        """Override: an execution ends, for good or to go on later; not called after an error."""

    def on_cancel(self) -> Any:
        """Override: the job was cancelled; `on_stop` and `on_complete` follow."""

    def on_complete(self) -> Any:
        """Override: all items are done, or the job was cancelled or aborted: it does not go on."""

    def around_iteration(self) -> Any:
        """Override with a generator function: what is before its `yield` happens before each item, the rest after."""

    # -- to be asked and called ------------------------------------------------------------------

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the push."""
        return self.__iteration__.args if self.__iteration__ else ()

    @property
    def cursor(self) -> Cursor | None:
        """The cursor of the item at hand; before the first one, that of the last execution."""
        return self.__iteration__.cursor if self.__iteration__ else None

    @property
    def current_item(self) -> Item | None:
        """The item at hand; None before the first."""
        return self.__iteration__.item if self.__iteration__ else None

    @property
    def executions(self) -> int:
        """How often the job was started, this time included."""
        return self.__iteration__.executions if self.__iteration__ else 0

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled, as far as this process has seen."""
        return self.__iteration__ is not None and self.__iteration__.is_cancelled

    def cancel(self) -> int:
        """Cancel this job from inside: no further item is processed. Returns since when it is (epoch seconds).

        From outside: `pillion.api.Iterations().cancel(jid)`.
        """
        if self.__iteration__ is None:
            raise RuntimeError("cancel() is for a running job. From outside: pillion.api.Iterations().cancel(jid).")
        return self.__iteration__.cancel()

    def abort(self, *, resume: bool = False) -> NoReturn:
        """Leave at once. The job is complete; with `resume` it goes on later, beginning with the item at hand."""
        raise Aborted(resume=resume)


def _perform() -> Any:
    def perform(self: Any, *args: Any) -> None:
        iteration = self.__iteration__ = _iteration(self, args, is_async=False)
        try:
            drive(iteration.steps())
        finally:
            iteration.close()

    return perform


def _perform_aio() -> Any:
    async def perform(self: Any, *args: Any) -> None:
        iteration = self.__iteration__ = _iteration(self, args, is_async=True)
        try:
            await drive_aio(iteration.steps())
        finally:
            await iteration.aclose()

    return perform


def _iteration(job: IterableJob, args: tuple[Any, ...], *, is_async: bool) -> Iteration:
    return Iteration(job, args, _state(job, is_async=is_async), _pace(job), job.__around__, is_async=is_async)


def _has_worker(job: IterableJob) -> bool:
    return job.__context__ is not None and not isinstance(job.__context__, InlineContext)


def _state(job: IterableJob, *, is_async: bool) -> State:
    if not _has_worker(job) or not job.jid:
        return NoState()
    home = job.__home__
    storage: Any = (home.async_client() if is_async else home.client()).storage
    return RedisState(storage, job.jid)


def _pace(job: IterableJob) -> Pace:
    config = job.__home__.config()
    limit_s = job.max_iteration_runtime_s
    if limit_s is None:
        limit_s = config.max_iteration_runtime_s
    return Pace(
        flush_every_s=job.flush_every_s,
        look_every_s=job.check_cancelled_every_s,
        max_runtime_s=limit_s if _has_worker(job) else None,  # without a worker nobody would go on
        slow_s=config.timeout_s,
    )


def _static(around: Around | None) -> Any:
    """A function kept on a class without becoming a method of it."""
    return None if around is None else staticmethod(around)
