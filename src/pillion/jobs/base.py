"""Jobs: the base class and the decorator that turn code into something that can be pushed.

    class CompleteOrder(Job, queue="high", retry=5):
        def perform(self, order_id: int) -> None: ...

    @job(queue="mailers")
    async def send_receipt(order_id: int) -> None: ...

Design record. The calls (`perform_async` and so on) are descriptors whose `__get__` asks for "a class
whose `perform` takes P": that is how mypy and pyright find out P of each subclass, and it holds for
async methods too. At run time they cost two small objects.

A class without `perform` is a base for others (`ApplicationJob`): it passes on options and helpers, is
not registered, and cannot be pushed. `abstract=True` says the same of a class that has one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from pillion.definition.execution import Execution
from pillion.definition.options import check_options, given
from pillion.definition.registry import FunctionDefinition, JobDefinition, Registry
from pillion.definition.run import TransientExceptions
from pillion.jobs.builder import check_hook, define_class, define_function
from pillion.jobs.calls import (
    BulkPerformIn,
    Home,
    PerformAsync,
    PerformBulk,
    PerformChunked,
    PerformIn,
    PerformInline,
)
from pillion.jobs.helpers import JobHelpers
from pillion.jobs.inspection import ClearAll, ClearOf, DrainAll, DrainOf, JobsOf, PerformOneOf
from pillion.jobs.lock import LOCK_TIMEOUT_S, Lock
from pillion.jobs.once import ONCE_TTL_S, Once
from pillion.jobs.renamed import OtherCalls
from pillion.jobs.setter import SetCall, Setter
from pillion.jobs.with_contexts import BulkInWithContexts, BulkWithContexts

__all__ = ["BaseJob", "FunctionJob", "Home", "JobDecorator", "JobDefinition", "Registry"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Performs(Protocol[P]):
    """A class with `perform`, sync or async."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Do the work of the job."""
        ...


class _PerformAsync:
    """Push now. Returns the jid, or None if client middleware stopped it; `.aio(...)` to be awaited."""

    def __get__(self, obj: object, owner: type[Performs[P]]) -> PerformAsync[P]:
        return PerformAsync(_setter(owner))


class _PerformIn:
    """Push for later: seconds, a timedelta, an aware datetime or epoch seconds, then the arguments."""

    def __get__(self, obj: object, owner: type[Performs[P]]) -> PerformIn[P]:
        return PerformIn(_setter(owner))


class _PerformInline:
    """Run here and now, with middleware. True if it ran, None if middleware stopped it."""

    def __get__(self, obj: object, owner: type[Performs[P]]) -> PerformInline[P]:
        return PerformInline(_setter(owner))


class _Set:
    """The same job with other options for its next pushes."""

    def __get__(self, obj: object, owner: type[Performs[P]]) -> SetCall[P]:
        return SetCall(_setter(owner))


class _PerformBulk:
    """Push one job for each list of arguments."""

    def __get__(self, obj: object, owner: type[Any]) -> PerformBulk:
        return PerformBulk(_setter(owner))


class _BulkPerformIn:
    """Push one job for each list of arguments, for later."""

    def __get__(self, obj: object, owner: type[Any]) -> BulkPerformIn:
        return BulkPerformIn(_setter(owner))


class _BulkWithContexts:
    """Push one job for each object, each with arguments and context of its own."""

    def __get__(self, obj: object, owner: type[Any]) -> BulkWithContexts:
        return BulkWithContexts(_setter(owner))


class _BulkInWithContexts:
    """The same for later."""

    def __get__(self, obj: object, owner: type[Any]) -> BulkInWithContexts:
        return BulkInWithContexts(_setter(owner))


class _PerformChunked:
    """Push one job for each `of` ids."""

    def __get__(self, obj: object, owner: type[Any]) -> PerformChunked:
        return PerformChunked(_setter(owner))


def _setter(owner: Any) -> Any:
    return owner.__setter__


class BaseJob(JobHelpers, OtherCalls):
    """The base of all job classes. `pillion.Job` is the one bound to the process-wide default.

    Options are class keywords. They go into each payload and are inherited: a subclass that gives none
    follows its base, one that gives some copies those of its base at that moment. Any keyword that is
    not listed is an option of your own.

    Parameters: `queue`; `retry`: True (25 times), a number, or False; `retry_for`: seconds or timedelta
    since the first failure, instead of a number; `retry_queue`; `backtrace`: True or a number of lines
    to keep; `dead`: False to discard the job when its retries are used up; `tags`; `log_level`;
    `timeout_s`: how many seconds an async job may run before it is cancelled, and then retried;
    `execution`: "process" for a child process of the worker (docs/guides/processes.md), in which `hard_timeout_s`
    is the seconds after which it is killed; `transactional_push`: True to wait for the commit of the database
    transaction that is open at the push, False never to wait (docs/guides/transactions.md);
    `wire_name`: the name in the payload, for instance that of a Ruby class; `abstract`: this class is
    only a base; `home`: where its jobs are pushed to. Raises ConfigError for what cannot be right.
    """

    __job__: ClassVar[JobDefinition]
    __home__: ClassVar[Home]
    __setter__: ClassVar[Setter[Any]]

    perform_async = _PerformAsync()
    perform_in = _PerformIn()
    perform_at = _PerformIn()
    perform_inline = _PerformInline()
    perform_sync = _PerformInline()
    perform_bulk = _PerformBulk()
    bulk_perform_in = _BulkPerformIn()
    bulk_perform_async_with_contexts = _BulkWithContexts()
    bulk_perform_in_with_contexts = _BulkInWithContexts()
    perform_chunked = _PerformChunked()
    set = _Set()

    # For tests: pillion.testing.
    jobs = JobsOf()
    drain = DrainOf()
    perform_one = PerformOneOf()
    clear = ClearOf()
    drain_all = DrainAll()
    clear_all = ClearAll()

    def __init_subclass__(
        cls,
        *,
        queue: str | None = None,
        retry: bool | int | None = None,
        retry_for: timedelta | float | None = None,
        retry_queue: str | None = None,
        backtrace: bool | int | None = None,
        dead: bool | None = None,
        tags: list[str] | None = None,
        log_level: str | int | None = None,
        timeout_s: timedelta | float | None = None,
        execution: Execution | None = None,
        hard_timeout_s: timedelta | float | None = None,
        transactional_push: bool | None = None,
        wire_name: str | None = None,
        abstract: bool = False,
        home: Home | None = None,
        **options: Any,
    ) -> None:
        super().__init_subclass__()
        known = given(
            queue=queue,
            retry=retry,
            retry_for=retry_for,
            retry_queue=retry_queue,
            backtrace=backtrace,
            dead=dead,
            tags=tags,
            log_level=log_level,
            timeout_s=timeout_s,
            execution=execution,
            hard_timeout_s=hard_timeout_s,
            transactional_push=transactional_push,
        )
        if home is not None:
            cls.__home__ = home
        cls.__job__ = define_class(cls, BaseJob, {**known, **options}, wire_name, abstract=abstract)
        cls.__setter__ = Setter(cls, cls.__home__)
        if not cls.__job__.is_abstract:
            cls.__home__.registry().register(cls.__job__)

    def lock(self, key: str, timeout_s: float = LOCK_TIMEOUT_S) -> Lock:
        """A lock for a `with` or `async with` block: one run at a time has `key`; see `pillion.jobs.lock`."""
        return Lock(self.__home__, key, timeout_s)

    def once(self, key: str, ttl_s: float = ONCE_TTL_S) -> Once:
        """`with self.once(key) as first:` tells whether `key` still has to be done; see `pillion.jobs.once`."""
        return Once(self.__home__, key, ttl_s)

    @staticmethod
    def retry_in(count: int, exc: BaseException, payload: dict[str, Any], /) -> float | str | None:
        """Override to say when the next try is due.

        `count` is 0 after the first failure. Return seconds (some jitter is added), "discard", "kill"
        (to the dead set), or None for the default: count ** 4 + 15 seconds.
        """
        del count, exc, payload
        return None

    @staticmethod
    def on_retries_exhausted(payload: dict[str, Any], exc: BaseException, /) -> Any:
        """Override to be called once, when the last retry has failed; before the death handlers.

        Return "discard" to keep the job out of the dead set.
        """
        del payload, exc

    @classmethod
    def configure(cls, **options: Any) -> None:
        """Set options after the class statement. Subclasses that gave options of their own do not follow."""
        cls.__job__.declare(check_options(options))

    @classmethod
    def queue_as(cls, queue: str) -> None:
        """Set the queue after the class statement."""
        cls.configure(queue=queue)


class FunctionJob(Setter[P], Generic[P, R]):
    """A function that is a job. Calling it calls the function, here and now, without any of the rest."""

    def __init__(self, function: Callable[P, R], definition: FunctionDefinition, home: Home) -> None:
        super().__init__(self, home)
        self.__job__ = definition
        self.__wrapped__ = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        return self.__wrapped__(*args, **kwargs)

    # For tests: pillion.testing.
    jobs = JobsOf()
    drain = DrainOf()
    perform_one = PerformOneOf()
    clear = ClearOf()

    def __repr__(self) -> str:
        return f"<job {self.__job__.wire_name}>"

    def retry_in(self, hook: F) -> F:
        """Decorate a function `(count, exc, payload)` that says when the next try is due: see `BaseJob.retry_in`."""
        self.__job__.retry_in = check_hook("retry_in", hook, (0, ValueError(), {}))
        return hook

    def on_retries_exhausted(self, hook: F) -> F:
        """Decorate a function `(payload, exc)` that is called once, when the last retry has failed."""
        self.__job__.on_exhausted = check_hook("on_retries_exhausted", hook, ({}, ValueError()))
        return hook


class JobDecorator:
    """`@job` and `@job(queue=...)`: turn a function, sync or async, into a job. Options as for classes."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @overload
    def __call__(self, function: Callable[P, R], /) -> FunctionJob[P, R]: ...

    @overload
    def __call__(
        self,
        *,
        queue: str | None = None,
        retry: bool | int | None = None,
        retry_for: timedelta | float | None = None,
        retry_queue: str | None = None,
        backtrace: bool | int | None = None,
        dead: bool | None = None,
        tags: list[str] | None = None,
        log_level: str | int | None = None,
        timeout_s: timedelta | float | None = None,
        execution: Execution | None = None,
        hard_timeout_s: timedelta | float | None = None,
        transactional_push: bool | None = None,
        wire_name: str | None = None,
        retry_in: Callable[[int, BaseException, dict[str, Any]], Any] | None = None,
        on_retries_exhausted: Callable[[dict[str, Any], BaseException], Any] | None = None,
        transient_exceptions: TransientExceptions = (),
        **options: Any,
    ) -> Callable[[Callable[P, R]], FunctionJob[P, R]]: ...

    def __call__(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Make the job, or the decorator that does."""
        if function is None:
            return functools.partial(self._make, **options)
        return self._make(function, **options)

    def _make(
        self,
        function: Callable[..., Any],
        /,
        wire_name: str | None = None,
        retry_in: Callable[..., Any] | None = None,
        on_retries_exhausted: Callable[..., Any] | None = None,
        transient_exceptions: TransientExceptions = (),
        **options: Any,
    ) -> FunctionJob[..., Any]:
        definition = define_function(function, given(**options), wire_name)
        definition.transient_exceptions = transient_exceptions
        made: FunctionJob[..., Any] = FunctionJob(function, definition, self._home)
        if retry_in is not None:
            made.retry_in(retry_in)
        if on_retries_exhausted is not None:
            made.on_retries_exhausted(on_retries_exhausted)
        self._home.registry().register(definition)
        return made
