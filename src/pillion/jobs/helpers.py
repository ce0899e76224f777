"""What every job class can use while it runs: say how far it is, and work in slices."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar

from pillion.definition.run import JobRun
from pillion.errors import ConfigError, RedisError
from pillion.jobs.inline import InlineContext

T = TypeVar("T")

# A percentage that has not changed is not sent again, unless it would be gone (after an hour) before the next.
REPEAT_S = 600.0

_log = logging.getLogger("pillion")


class _Running(Protocol):
    """What `progress` needs of its job."""

    __home__: Any
    __context__: Any
    __progress__: tuple[str, float]

    @property
    def jid(self) -> str: ...


class ProgressCall:
    """`self.progress(at, total)`: note how far the job is; `await self.progress.aio(at, total)` in async jobs."""

    def __init__(self, job: _Running) -> None:
        self._job = job

    def __call__(self, at: float, total: float) -> float:
        """Note that `at` of `total` are done, for an hour. Returns the percentage, from 0.0 to 100.0.

        `pillion.get_progress(jid)` reads it. It may be called for each item: only what has changed is sent.
        Outside of a worker nothing is sent; a Redis that is away is no reason for a job to fail.
        """
        percent = percentage(at, total)
        op = self._due(percent)
        if op is not None:
            try:
                self._job.__home__.client().storage.run(op)
            except RedisError as exc:
                _log.debug("Could not note the progress of %s: %s", self._job.jid, exc)
        return percent

    async def aio(self, at: float, total: float) -> float:
        """The same, to be awaited."""
        percent = percentage(at, total)
        op = self._due(percent)
        if op is not None:
            try:
                await self._job.__home__.async_client().storage.run(op)
            except RedisError as exc:
                _log.debug("Could not note the progress of %s: %s", self._job.jid, exc)
        return percent

    def _due(self, percent: float) -> Any:
        """What is to be sent, if anything is."""
        from pillion.storage.ops import iteration as ops

        job, text, now_s = self._job, repr(percent), time.monotonic()
        if job.__context__ is None or isinstance(job.__context__, InlineContext) or not job.jid:
            return None
        known, sent_s = job.__progress__
        if known == text and now_s - sent_s < REPEAT_S:
            return None
        job.__progress__ = (text, now_s)
        return ops.set_progress(job.jid, text)


class _Progress:
    def __get__(self, job: Any, owner: type) -> ProgressCall:
        return ProgressCall(job)


class JobHelpers(JobRun):
    """The helpers of a job class."""

    __progress__: tuple[str, float] = ("", 0.0)

    progress = _Progress()

    @staticmethod
    def batched(
        items: Iterable[T], size: int, *, pause: float = 0.0, sleep: Callable[[float], object] = time.sleep
    ) -> Iterator[list[T]]:
        """Lists of up to `size` items, with `pause` seconds between two of them (F138).

        The pause gives what is behind the work, a mail provider for instance, time to breathe. There is none
        before the first list and none after the last. `sleep` is for tests. Raises ConfigError.
        """
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError("size", "a whole number of 1 or more", size)
        if not pause >= 0:
            raise ConfigError("pause", "seconds, 0 or more", pause)
        return _slices(iter(items), size, pause, sleep)


def percentage(at: float, total: float) -> float:
    """How much of `total` is done, in percent with two digits; 100.0 of nothing."""
    if total <= 0:
        return 100.0
    return round(min(max(at / total, 0.0), 1.0) * 100, 2)


def _slices(items: Iterator[T], size: int, pause: float, sleep: Callable[[float], object]) -> Iterator[list[T]]:
    batch = list(islice(items, size))
    while batch:
        yield batch
        batch = list(islice(items, size))
        if batch and pause:
            sleep(pause)
