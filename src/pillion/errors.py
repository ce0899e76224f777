"""Every error Pillion raises, in one tree.

    BaseException
     ├─ Shutdown                    the process must stop: raised inside user code at the deadline
     └─ Interrupted                 a job stopped early on purpose and wants to go on later
         └─ Postponed               ... at a moment that it names
    Exception
     └─ PillionError
         ├─ ConfigError             an option is wrong: names the option, what was expected, what came
         ├─ InvalidJob              a job that cannot be pushed; nothing was written
         │   └─ ComplexArgument     an argument that JSON cannot carry unchanged
         ├─ EnqueuedInTransaction   a push while a database transaction is open; nothing was pushed
         ├─ QueueFull               the queue has reached its limit; nothing was pushed to it
         ├─ UnknownJobClass         a payload names a class that is not registered here
         ├─ DecodeError             bytes that are not a job
         ├─ JobArgumentError        the payload's arguments do not fit the job's `perform`
         ├─ ChildError              the process that a job had of its own could not finish it
         │   ├─ HardTimeout         it ran longer than its hard_timeout_s, and was killed
         │   ├─ ChildDied           it ended in the middle of the job: a crash, or out of memory
         │   └─ ChildNotStarted     there was none to run the job in
         ├─ PoisonPill              a job that was running each time its process died
         ├─ RetryableError          wraps a known, passing error: retried, but not worth an alarm
         │   ├─ LockNotAcquired     somebody else has the lock
         │   └─ CircuitOpen         a service has failed so often that it is left alone for a while
         ├─ NotTesting              asked for fake jobs while jobs go to Redis
         ├─ EmptyQueue              a test wanted to run a job, and none waits
         └─ RedisError              the Redis server, as seen from here
             ├─ RedisUnavailable    cannot be reached or does not answer (names host and port)
             ├─ RedisRefused        answers, but will not write: read-only, full, no permission
             └─ EmbeddedRedisError  the embedded server could not be found or started

The two at the top derive from BaseException so that a job's `except Exception` cannot swallow them.
"""

from __future__ import annotations

import math
from typing import cast


class PillionError(Exception):
    """Base of every error that Pillion raises on purpose."""


class ConfigError(PillionError, ValueError):
    """An option has a value it cannot have."""

    def __init__(self, option: str, expected: str, got: object, hint: str = "") -> None:
        self.option, self.expected, self.got, self.hint = option, expected, got, hint
        super().__init__(f"{option}: expected {expected}, got {got!r}." + (f" {hint}" if hint else ""))


class InvalidJob(PillionError, ValueError):
    """A job that cannot be pushed. Nothing was written to Redis.

    `field` is the payload key that is wrong (`class`, `args`, `at`, `tags`, `queue`, `retry_for` ...).
    """

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class ComplexArgument(InvalidJob):
    """An argument that JSON cannot carry unchanged (an object, a date, a tuple, a non-string key)."""

    def __init__(self, message: str) -> None:
        super().__init__("args", message)


class EnqueuedInTransaction(PillionError):
    """A push while a database transaction is open, where `on_enqueue_in_transaction` forbids it (F021).

    `place` is the `file:line` that pushes, `transaction` says which one is open.
    """

    def __init__(self, place: str, transaction: str) -> None:
        self.place, self.transaction = place, transaction
        super().__init__(
            f"{place}: a job is pushed while {transaction} is open. A worker may run it before the commit, and runs it "
            "after a rollback too; and locks of the database are held while Redis is asked. Push after the commit: by "
            "hand, inside of `with pillion.transaction(...)`, or with the job option transactional_push=True. If it is "
            "meant to be so, say transactional_push=False."
        )


class QueueFull(PillionError):
    """A queue with a limit is full: none of the `count` jobs of this push went into it (F026).

    `size` is the number of jobs that wait there, `limit` its `max_size` (None: it has none). `latency_s` is
    the age of its oldest job in seconds, where `max_latency_s` was the limit that was reached, else None.
    """

    def __init__(
        self,
        queue: str,
        size: int,
        limit: int | None,
        *,
        count: int = 1,
        latency_s: float | None = None,
        max_latency_s: float | None = None,
    ) -> None:
        self.queue, self.size, self.limit, self.count = queue, size, limit, count
        self.latency_s, self.max_latency_s = latency_s, max_latency_s
        super().__init__(f"Queue {queue!r} is full: {self._why()}. {self._what_to_do()}")

    def _why(self) -> str:
        if self.latency_s is not None:
            return f"its oldest job has waited {self.latency_s:.1f} s, and max_latency_s is {self.max_latency_s}"
        return f"{self.size} jobs wait there, {self.count} would be added, and max_size is {self.limit}"

    def _what_to_do(self) -> str:
        if self.limit is not None and self.count > self.limit:
            return f"So many at once never fit: push them with batch_size={self.limit} or less."
        return "Nothing was pushed to it. Try again later, add workers, or raise its limit in queue_limits."


class UnknownJobClass(PillionError, NameError):
    """No job of this name is registered in this process. Retried: a newer process may know it."""


class DecodeError(PillionError, ValueError):
    """Bytes from Redis that are not one JSON object. They go to the dead set as they are."""


class JobArgumentError(PillionError, TypeError):
    """The arguments in the payload do not fit the job's signature."""


class ChildError(PillionError):
    """The process that a job with `execution="process"` had of its own could not finish it. Retried as any error."""


class HardTimeout(ChildError):
    """The job ran longer than its `hard_timeout_s` (seconds), and the process it was in has been killed."""

    def __init__(self, hard_timeout_s: float) -> None:
        self.hard_timeout_s = hard_timeout_s
        super().__init__(f"still running after its hard timeout of {hard_timeout_s:g} s: its process was killed")


class ChildDied(ChildError):
    """The process that ran the job ended in the middle of it; `end` says how: "signal SIGSEGV", "exit code 3"."""

    def __init__(self, end: str) -> None:
        self.end = end
        super().__init__(f"the process that ran the job ended in the middle of it: {end}.{_meaning(end)}")


class ChildNotStarted(ChildError):
    """There was no process to run the job in. The message says why; the job has not begun."""


def _meaning(end: str) -> str:
    if end == "signal SIGKILL":
        return " Somebody killed it; if nobody did, the kernel did because memory ran out."
    return (
        " The stack is in the worker's output." if end in ("signal SIGSEGV", "signal SIGABRT", "signal SIGBUS") else ""
    )


class PoisonPill(PillionError):
    """The job was in flight each of several times its process died, so it is not run again."""


class RetryableError(PillionError):
    """Wrap a known, passing error with it: the job is retried, alarms can ignore it.

    Raise it `from` the original error; the message of the original is kept.
    """

    def __init__(self, original: BaseException | str) -> None:
        self.original = original if isinstance(original, BaseException) else None
        super().__init__(str(original))
        if self.original is not None:
            self.__cause__ = self.original


class LockNotAcquired(RetryableError):
    """Somebody else has the lock `key`. Raised in a job, the job is retried."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"The lock {key!r} is held by another run. A job is retried later.")


class CircuitOpen(RetryableError):
    """The service `name` has failed so often that it is not called for another `retry_in_s` seconds."""

    def __init__(self, name: str, retry_in_s: float) -> None:
        self.name, self.retry_in_s = name, retry_in_s
        super().__init__(f"The circuit {name!r} is open: no calls for another {retry_in_s:.0f} s.")


class NotTesting(PillionError, AttributeError):
    """Asked for the jobs of fake mode where there is none: this thread or task pushes to Redis.

    An AttributeError as well, as `J.jobs` is an attribute that is only there in a test: tools that look at all
    attributes of a class pass over it.
    """


class EmptyQueue(PillionError):
    """`perform_one` in a test found no job to run."""


class RedisError(PillionError):
    """Something is wrong between this process and its Redis."""


class RedisUnavailable(RedisError, ConnectionError):
    """Redis cannot be reached, or did not answer in time. The message names host and port."""


class RedisRefused(RedisError):
    """Redis answered but refused the write: it is full, read-only, or lacks the permission."""


class EmbeddedRedisError(RedisError):
    """The embedded Redis could not be found, started or reached."""


class Shutdown(BaseException):
    """Raised inside a running job when the shutdown deadline has passed. Do not catch it."""


class Interrupted(BaseException):
    """Raised by a job that stops early and wants to be queued again. Do not catch it."""


class Postponed(Interrupted):
    """Raised by a job that stops early and wants to run again in `delay_s` seconds; no retry is spent."""

    def __init__(self, delay_s: float, reason: str = "") -> None:
        if not isinstance(cast("object", delay_s), int | float):
            raise ConfigError("delay_s", "a number of seconds", delay_s)
        if not math.isfinite(delay_s):
            raise ValueError(f"delay_s: expected a number of seconds, got {delay_s}: the job would never run again")
        self.delay_s = delay_s
        super().__init__(reason or f"to run again in {delay_s:g} s")
