"""JobRun: what the code of a job can ask about the run it is in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from pillion.ambient import Fact, context

TransientExceptions = Sequence[type[BaseException] | str]

_log = logging.getLogger("pillion.job")
_NO_PAYLOAD: dict[str, Any] = {}


class RunContext(Protocol):
    """What the worker process tells a run. It may also have `queue`, the list the job came from."""

    def stopping(self) -> bool:
        """Whether this process is quiet or stopping."""
        ...


class JobRun:
    """One run of a job. Everything is read from the payload when asked for: a run costs no set-up.

    Outside of a worker (you called `perform` yourself) the ids are empty and `attempt` is 0.
    """

    __payload__: Mapping[str, Any] = _NO_PAYLOAD
    __context__: Any = None

    # What a class must define to be more than a base of others.
    __to_define__: ClassVar[tuple[str, ...]] = ("perform",)

    # Errors of this job that are known and pass by themselves: classes, or their dotted names (F040).
    transient_exceptions: TransientExceptions = ()

    # False for jobs that a timer starts: they take no context along from where they are pushed (F130).
    carries_context: ClassVar[bool] = True

    def with_context(self, **facts: Fact | None) -> AbstractContextManager[None]:
        """Inside the block, log lines and the jobs pushed there carry these facts; see `pillion.context`."""
        return context(**facts)

    @property
    def jid(self) -> str:
        """The id of the job; the same in every retry."""
        return str(self.__payload__.get("jid") or "")

    @property
    def bid(self) -> str | None:
        """The id of the batch this job belongs to, if any."""
        bid = self.__payload__.get("bid")
        return None if bid is None else str(bid)

    @property
    def queue_name(self) -> str:
        """The queue this run was taken from, which may differ from the one it was pushed to."""
        return str(getattr(self.__context__, "queue", None) or self.__payload__.get("queue") or "")

    @property
    def attempt(self) -> int:
        """0 in the first run, 1 in the first retry, and so on."""
        count = self.__payload__.get("retry_count")
        return count + 1 if isinstance(count, int) else 0

    @property
    def interrupted(self) -> bool:
        """Whether this process has been told to stop: a long job can end early. False outside of a worker."""
        return self.__context__ is not None and bool(self.__context__.stopping())

    @property
    def logger(self) -> logging.Logger:
        """A logger whose lines carry the class and jid of the running job."""
        return _log


class FunctionRun(JobRun):
    """One run of a job that is a function."""

    def __init__(
        self,
        perform: Callable[..., Any],
        payload: Mapping[str, Any],
        context: RunContext | None,
        transient_exceptions: TransientExceptions,
    ) -> None:
        self.perform = perform
        self.__payload__ = payload
        self.__context__ = context
        self.transient_exceptions = transient_exceptions
