"""What becomes of a job that failed: a pure decision, as behaviour.md 5.2 tells it.

Clock and randomness are passed in; the only code of others that runs here are the job's own hooks.
"""

from __future__ import annotations

import math
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal

from pillion.definition.registry import JobDefinition
from pillion.errors import InvalidJob
from pillion.server.outcome import Dead, Discard, Outcome, Retry
from pillion.wire.backtrace import CAUSED_BY
from pillion.wire.codec import dumps
from pillion.wire.failure import cause_chain, error_class, record_failure
from pillion.wire.timestamps import to_seconds

BASE_DELAY_S = 15
JITTER_STEP_S = 10
# An exception group may have thousands of members.
MOST_STACKS: Final = 10

Report = Callable[[BaseException, dict[str, Any]], None]
Verdict = Literal["discard", "kill"]


@dataclass(slots=True, frozen=True)
class RetryPolicy:
    """The settings and sources a decision needs. `max_retries` is for jobs that do not say."""

    max_retries: int
    backtrace_cleaner: Callable[[list[str]], list[str]]
    report: Report
    rng: random.Random


@dataclass(slots=True, frozen=True)
class Failure:
    """One failed run: the payload as it was fetched, its queue, the error, and the job's hooks if known."""

    payload: dict[str, Any]
    queue: str
    error: BaseException
    definition: JobDefinition | None


def backoff_s(count: int) -> int:
    """Seconds before retry number `count` (0 = the first), without jitter: 15 s, 16 s, 31 s ... 3.8 days."""
    return int(count**4) + BASE_DELAY_S


def jitter_s(count: int, rng: random.Random) -> int:
    """Whole seconds added to every delay, so that jobs that failed together do not return together."""
    return rng.randrange(JITTER_STEP_S * (count + 1))


def decide(failure: Failure, policy: RetryPolicy, *, now_ms: int) -> Outcome:
    """Retry, Dead or Discard for a failed job."""
    retry = _retry_option(failure)
    if retry is False or retry is None:
        return Discard(failure.payload, failure.error)
    job = record_failure(
        failure.payload,
        failure.error,
        queue=failure.queue,
        now_ms=now_ms,
        backtrace=_backtrace(failure, policy),
    )
    before_hooks = dumps(job)
    if _is_exhausted(job, retry, policy, now_ms):
        return _die(failure, job, before_hooks, policy, now_ms)
    count = job["retry_count"]
    wanted = _wanted_delay(failure, job, count, policy)
    if wanted == "discard":
        return _discard(job, failure, now_ms)
    if wanted == "kill":
        return _die(failure, job, before_hooks, policy, now_ms)
    delay_s = (wanted if wanted else backoff_s(count)) + jitter_s(count, policy.rng)
    return Retry(_written(job, before_hooks, policy), now_ms / 1000 + delay_s, failure.error)


def _retry_option(failure: Failure) -> object:
    """The payload's word, else the class's; a job that says nothing at all is retried."""
    if "retry" in failure.payload:
        return failure.payload["retry"]
    return failure.definition.options.get("retry", True) if failure.definition else True


def _is_exhausted(job: dict[str, Any], retry: object, policy: RetryPolicy, now_ms: int) -> bool:
    retry_for_s, failed_at_s = _seconds(job.get("retry_for")), to_seconds(job["failed_at"])
    if retry_for_s and failed_at_s is not None:
        return failed_at_s + retry_for_s < now_ms / 1000
    limit = retry if isinstance(retry, int) and not isinstance(retry, bool) else policy.max_retries
    return bool(job["retry_count"] >= limit)


def _seconds(value: object) -> float | None:
    """Read `retry_for`; what is no number does not limit anything: any client may have pushed it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _wanted_delay(failure: Failure, job: dict[str, Any], count: int, policy: RetryPolicy) -> int | Verdict:
    """What the job's `retry_in` hook wants; 0 for no wish."""
    hook = failure.definition.retry_in if failure.definition else None
    if hook is None:
        return 0
    try:
        wish = hook(count, failure.error, job)
        if wish in ("discard", "kill"):
            return wish  # type: ignore[no-any-return]
        return max(0, int(wish)) if isinstance(wish, int | float) and not isinstance(wish, bool) else 0
    except Exception as exc:  # noqa: BLE001 - user code; the default delay is always there
        policy.report(exc, {"context": f"Failure scheduling retry using the defined retry_in in {job.get('class')}"})
        return 0


def _die(failure: Failure, job: dict[str, Any], before_hooks: bytes, policy: RetryPolicy, now_ms: int) -> Outcome:
    verdict = None
    hook = failure.definition.on_exhausted if failure.definition else None
    if hook is not None:
        try:
            verdict = hook(job, failure.error)
        except Exception as exc:  # noqa: BLE001 - user code; the job dies all the same
            policy.report(exc, {"context": "Error calling retries_exhausted", "job": job})
    if verdict == "discard" or job.get("dead") is False:
        return _discard(job, failure, now_ms)
    return Dead(_written(job, before_hooks, policy), job, failure.error)


def _discard(job: dict[str, Any], failure: Failure, now_ms: int) -> Discard:
    return Discard({**job, "discarded_at": now_ms}, failure.error)


def _written(job: dict[str, Any], before_hooks: bytes, policy: RetryPolicy) -> bytes:
    """The payload with what the hooks made of it, or without if that cannot be written."""
    try:
        return dumps(job)
    except InvalidJob as exc:
        policy.report(exc, {"context": "A retry hook left a payload that is no JSON; it goes on as it was before"})
        return before_hooks


def _backtrace(failure: Failure, policy: RetryPolicy) -> list[str] | None:
    """The stack, innermost frame first, if the payload asks for one; then those of what lies behind the error.

    Where a library raises its own error from the application's, only the latter's stack tells where it failed.
    """
    if not failure.payload.get("backtrace"):
        return None
    error, *behind = islice(cause_chain(failure.error), MOST_STACKS)
    lines = _stack(error)
    for cause in behind:
        lines += [f"{CAUSED_BY}{error_class(cause)}", *_stack(cause)]
    return policy.backtrace_cleaner(lines)


def _stack(error: BaseException) -> list[str]:
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return [f"{code.co_filename}:{line}:in {code.co_name}" for code, line in reversed(frames)]
