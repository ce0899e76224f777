"""Setter: a job with options for its next pushes, `CompleteOrder.set(queue="low").perform_async(42)`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Generic, ParamSpec

from pillion.definition.execution import Execution, combined
from pillion.definition.options import check_options, given
from pillion.definition.time_limit import check_time_limit
from pillion.jobs.calls import (
    BulkPerformIn,
    PerformAsync,
    PerformBulk,
    PerformChunked,
    PerformIn,
    PerformInline,
    Pusher,
)
from pillion.jobs.renamed import OtherCalls
from pillion.jobs.with_contexts import BulkInWithContexts, BulkWithContexts
from pillion.wire.timestamps import Interval

P = ParamSpec("P")


class Setter(Pusher, OtherCalls, Generic[P]):
    """A job with options for its next pushes. It can be kept and used again; `set` on it makes another one."""

    __slots__ = ()

    @property
    def perform_async(self) -> PerformAsync[P]:
        """Push now. Returns the jid, or None if client middleware stopped it."""
        return PerformAsync(self)

    @property
    def perform_in(self) -> PerformIn[P]:
        """Push for later: seconds, a timedelta, an aware datetime or epoch seconds, then the arguments."""
        return PerformIn(self)

    perform_at = perform_in

    @property
    def perform_bulk(self) -> PerformBulk:
        """Push one job for each list of arguments. Returns one jid or None for each."""
        return PerformBulk(self)

    @property
    def bulk_perform_in(self) -> BulkPerformIn:
        """Push one job for each list of arguments, for later; the delay may be a list with one for each."""
        return BulkPerformIn(self)

    @property
    def bulk_perform_async_with_contexts(self) -> BulkWithContexts:
        """Push one job for each object, each with arguments and context of its own."""
        return BulkWithContexts(self)

    @property
    def bulk_perform_in_with_contexts(self) -> BulkInWithContexts:
        """The same for later; the delay comes first."""
        return BulkInWithContexts(self)

    @property
    def perform_chunked(self) -> PerformChunked:
        """Push one job for each `of` ids; its one argument is the list of them."""
        return PerformChunked(self)

    @property
    def perform_inline(self) -> PerformInline[P]:
        """Run here and now, with middleware. True if it ran, None if middleware stopped it."""
        return PerformInline(self)

    perform_sync = perform_inline

    @property
    def set(self) -> SetCall[P]:
        """The same job with more options."""
        return SetCall(self)


class SetCall(Generic[P]):
    """`set(queue="low", ...)`: the same job with other options for its next pushes."""

    __slots__ = ("_setter",)

    def __init__(self, setter: Setter[P]) -> None:
        self._setter = setter

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
        wait: Interval | None = None,
        wait_until: Interval | None = None,
        sync: bool | None = None,
        **options: Any,
    ) -> Setter[P]:
        """These options go before those of the job; None means not given. Any other key goes into the payload.

        `wait` and `wait_until` are as in `perform_in`, counted from each push. With `sync=True`,
        `perform_async` runs the job here and now. `pool` is a storage to push through (a shard).
        Raises ConfigError for an option that cannot be right.
        """
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
        before = self._setter
        checked = check_options({**known, **options})
        definition = before.job.__job__
        combined({**definition.own_options, **before.options}, checked)
        check_time_limit(definition.wire_name, checked, is_async=definition.is_async or definition.is_abstract)
        when = wait_until if wait_until is not None else wait
        return Setter(
            before.job,
            before.home,
            {**before.options, **checked},
            when=before.when if when is None else when,
            inline=before.inline if sync is None else sync,
        )
