"""Filter: which jobs are meant. Pure: it looks at one job at a time and knows nothing of Redis."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final, TypeVar, cast

from pillion.api.ranking import Bounds
from pillion.api.record import JobData
from pillion.errors import ConfigError

Moment = float | int | datetime
Names = str | Collection[str]
Check = Callable[[JobData], bool]
T = TypeVar("T")

_NOT_ASYNC: Final = "It is called and not awaited, also by the async calls: give it a plain function."


@dataclass(slots=True, frozen=True, kw_only=True)
class Filter:
    """Jobs that fulfil all that is said here; what is left out does not matter. `Filter()` is every job.

    Parameters, each a text or several of which one must fit:
        `jid`; `job_class` as stored or as shown (inside a wrapper); `error_class`; `queue`; `tag`.
    Parameters, each a text that must occur exactly so, upper and lower case told apart:
        `error` in the error's message; `text` anywhere in the stored bytes.
    Parameters, each a moment (aware datetime, or epoch seconds):
        `failed_from` <= first failure < `failed_before`;
        `at_from` <= time in the set (due, or died) < `at_before`.
    `min_retries` <= retries so far <= `max_retries`; a job that never failed has none, and does not fit.
    `predicate` is any function of the entry that returns a bool; it is asked last.

    Raises ConfigError for what would match nothing or is not clear: empty texts, naive datetimes, ends
    before beginnings.
    """

    jid: Names | None = None
    job_class: Names | None = None
    error_class: Names | None = None
    error: str | None = None
    queue: Names | None = None
    tag: Names | None = None
    text: str | None = None
    failed_from: Moment | None = None
    failed_before: Moment | None = None
    at_from: Moment | None = None
    at_before: Moment | None = None
    min_retries: int | None = None
    max_retries: int | None = None
    predicate: Callable[[Any], bool] | None = None
    _checks: tuple[Check, ...] = field(init=False, repr=False, compare=False)
    _at: tuple[float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", _window(self, "at_from", "at_before"))
        object.__setattr__(self, "_checks", tuple(_checks(self)))

    def __repr__(self) -> str:
        said = ((each.name, getattr(self, each.name)) for each in fields(self) if each.init)
        return f"Filter({', '.join(f'{name}={value!r}' for name, value in said if value is not None)})"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Filter:
        """A Filter from names and values, such as those of a form. Raises ConfigError for a name it does not know."""
        known = [each.name for each in fields(cls) if each.init]
        for name in given:
            if name not in known:
                raise ConfigError(
                    "filter", f"only {', '.join(known)}", name, "There is nothing of this name to ask for."
                )
        return cls(**given)

    @property
    def is_all(self) -> bool:
        """Whether it is every job."""
        return not self._checks

    @property
    def bounds(self) -> Bounds:
        """The scores that an entry may have; `matches` looks at them too."""
        low, before = self._at
        return Bounds(low, math.nextafter(before, -math.inf) if before < math.inf else math.inf)

    def matches(self, entry: JobData) -> bool:
        """Whether this job is meant. `at_from` and `at_before` need an entry of a set: no other job fits them."""
        return all(check(entry) for check in self._checks)


def require(given: object) -> Filter:
    """`given`, if it is a Filter. Raises ConfigError that says how to mean every job."""
    if isinstance(given, Filter):
        return given
    hint = "Filter() is every job, Filter(job_class='Mail') those of one class, Filter(jid=...) one of them."
    raise ConfigError("filter", "a Filter", given, hint)


def seconds_of(option: str, moment: object) -> float:
    """Epoch seconds of an aware datetime or a number of them. Raises ConfigError for anything else."""
    if isinstance(moment, datetime):
        if moment.utcoffset() is None:
            hint = "Use datetime.now(timezone.utc) or give it a tzinfo: without one, each machine reads another moment."
            raise ConfigError(option, "a datetime with a time zone", moment, hint)
        return moment.timestamp()
    if isinstance(moment, int | float) and not isinstance(moment, bool) and not math.isnan(moment):
        return float(moment)
    hint = "A date has no time of day: combine it into an aware datetime." if isinstance(moment, date) else ""
    raise ConfigError(option, "an aware datetime, or epoch seconds", moment, hint)


def duration_of(option: str, given: object) -> float:
    """A number of seconds. Raises ConfigError for anything else, a moment included."""
    if isinstance(given, datetime):
        raise ConfigError(option, "seconds", given)
    return seconds_of(option, given)


# -- what a filter checks, the cheap ones first ------------------------------------------------------


def _checks(wanted: Filter) -> list[Check]:
    found = [
        _at_check(*wanted._at),  # pyright: ignore[reportPrivateUsage]
        _text_check(_text(wanted, "text")),
        _any_of(_names(wanted, "jid"), lambda job: (job.jid,)),
        _any_of(_names(wanted, "job_class"), lambda job: (job.job_class, job.display_class)),
        _any_of(_names(wanted, "error_class"), lambda job: (job.error_class or "",)),
        _any_of(_names(wanted, "queue"), lambda job: (job.queue,)),
        _any_of(_names(wanted, "tag"), lambda job: job.tags),
        _error_check(_text(wanted, "error")),
        _failed_check(*_window(wanted, "failed_from", "failed_before")),
        _retries_check(_count(wanted, "min_retries"), _count(wanted, "max_retries")),
        _predicate(wanted.predicate),
    ]
    return [check for check in found if check is not None]


def _at_check(low: float, before: float) -> Check | None:
    if (low, before) == (-math.inf, math.inf):
        return None

    def check(job: JobData) -> bool:
        score = getattr(job, "score", None)
        return score is not None and (low <= score < before or (before == math.inf == score))

    return check


def _text_check(text: str | None) -> Check | None:
    if text is None:
        return None
    wanted = text.encode(errors="surrogatepass")
    return lambda job: wanted in job.value


def _any_of(wanted: frozenset[str] | None, values: Callable[[JobData], Collection[str]]) -> Check | None:
    return None if wanted is None else lambda job: not wanted.isdisjoint(values(job))


def _error_check(text: str | None) -> Check | None:
    return None if text is None else lambda job: text in (job.error_message or "")


def _failed_check(low: float, before: float) -> Check | None:
    if (low, before) == (-math.inf, math.inf):
        return None

    def check(job: JobData) -> bool:
        failed_at = job.failed_at
        return failed_at is not None and low <= failed_at < before

    return check


def _retries_check(least: int | None, most: int | None) -> Check | None:
    if least is None and most is None:
        return None

    def check(job: JobData) -> bool:
        count = job.retry_count
        return count is not None and (least is None or least <= count) and (most is None or count <= most)

    return check


def _predicate(given: object) -> Check | None:
    if given is None:
        return None
    return yes_or_no("predicate", given, "a function of an entry that returns a bool")


# -- what was given ----------------------------------------------------------------------------------


def yes_or_no(option: str, given: object, expected: str) -> Callable[..., bool]:
    """`given`, a function of the caller's, with its answer as a bool. Raises ConfigError if it is none.

    An async function is refused, at the latest when it answers: nobody awaits it here, and what it returns
    would pass for a yes, whatever it says.
    """
    if not callable(given):
        raise ConfigError(option, expected, given)
    if inspect.iscoroutinefunction(given):
        raise ConfigError(option, expected, given, _NOT_ASYNC)

    def ask(*args: object) -> bool:
        answer: Any = given(*args)
        if answer is True or answer is False:  # nearly always, and the quickest to tell
            return answer
        if inspect.isawaitable(answer):
            raise ConfigError(option, expected, given, _NOT_ASYNC)
        return bool(answer)

    return ask


def _names(wanted: Filter, option: str) -> frozenset[str] | None:
    given: object = getattr(wanted, option)
    if given is None:
        return None
    names = {given} if isinstance(given, str) else given
    if not isinstance(names, Collection) or isinstance(names, bytes | Mapping):
        raise ConfigError(option, "a text, or a collection of texts", given)
    several = cast("Collection[object]", names)
    if not several or not all(isinstance(name, str) and name for name in several):
        raise ConfigError(option, "one text or more, none empty", given, f"Leave {option} out to mean every job.")
    return frozenset(cast("Collection[str]", several))


def _text(wanted: Filter, option: str) -> str | None:
    given: object = getattr(wanted, option)
    if given is None or (isinstance(given, str) and given):
        return given
    raise ConfigError(option, "a text that is not empty", given, f"Leave {option} out to mean every job.")


def _window(wanted: Filter, low_option: str, before_option: str) -> tuple[float, float]:
    low_given, before_given = getattr(wanted, low_option), getattr(wanted, before_option)
    low = -math.inf if low_given is None else seconds_of(low_option, low_given)
    before = math.inf if before_given is None else seconds_of(before_option, before_given)
    if low >= before:
        raise ConfigError(before_option, f"a moment after {low_option} ({low_given!r})", before_given)
    return low, before


def _count(wanted: Filter, option: str) -> int | None:
    given: object = getattr(wanted, option)
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    raise ConfigError(option, "a whole number", given)
