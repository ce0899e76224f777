"""Which jobs are meant: the options of `pillion jobs`, and the places and the filter that they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pillion.cli.times import read_duration, reader
from pillion.errors import ConfigError

if TYPE_CHECKING:
    from pillion.api.filters import Filter
    from pillion.api.fleet import Fleet
    from pillion.api.queues import Queue
    from pillion.api.record import JobData
    from pillion.api.sets import DeadSet, RetrySet, ScheduledSet

    Place = Queue | ScheduledSet | RetrySet | DeadSet

F = TypeVar("F", bound=Callable[..., Any])

QUEUE_PREFIX: Final = "queue:"
SETS: Final = ("retry", "dead", "scheduled")


@dataclass(slots=True, frozen=True, kw_only=True)
class Choice:
    """What was typed: where to look, and for what. `older_s` and `newer_s` are seconds."""

    places: tuple[str, ...] = ()
    jids: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    error_classes: tuple[str, ...] = ()
    error: str | None = None
    queues: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    text: str | None = None
    older_s: float | None = None
    newer_s: float | None = None
    everything: bool = False

    @classmethod
    def of(cls, given: dict[str, Any]) -> Choice:
        """The choice that a command with `choosing_options` was called with."""
        return cls(**given)

    @property
    def is_narrow(self) -> bool:
        """Whether anything was said but the place."""
        return bool(self.jids or self.classes or self.error_classes or self.queues or self.tags) or any(
            each is not None for each in (self.error, self.text, self.older_s, self.newer_s)
        )

    def filter(self, now_s: float) -> Filter:
        """The filter that this says; `now_s` is epoch seconds."""
        from pillion.api.filters import Filter

        names = {
            "jid": self.jids,
            "job_class": self.classes,
            "error_class": self.error_classes,
            "queue": self.queues,
            "tag": self.tags,
        }
        given = {name: values for name, values in names.items() if values}
        return Filter(**given, error=self.error, text=self.text, predicate=self._age_check(now_s))  # type: ignore[arg-type]

    def _age_check(self, now_s: float) -> Callable[[JobData], bool] | None:
        if self.older_s is None and self.newer_s is None:
            return None
        oldest = float("-inf") if self.newer_s is None else now_s - self.newer_s
        latest = float("inf") if self.older_s is None else now_s - self.older_s

        def check(job: JobData) -> bool:
            since = born_at(job)
            return since is not None and oldest <= since < latest

        return check


def born_at(job: JobData) -> float | None:
    """What the age of a job counts from: its first failure, else its entry into the queue, else its push (epoch s)."""
    for moment in (job.failed_at, job.enqueued_at, job.created_at):
        if moment is not None:
            return moment
    return None


def choosing_options(function: F) -> F:
    """Give a command the options that say which jobs are meant; `Choice.of` reads what it was called with."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _duration_option(option: str) -> Any:
    return reader(lambda text: read_duration(text, option))


_OPTIONS = (
    click.argument("jids", metavar="[JID]...", nargs=-1),
    click.option(
        "--in", "places", metavar="PLACE", multiple=True, help="retry, dead, scheduled or queue:NAME; repeatable."
    ),
    click.option("--class", "classes", metavar="CLASS", multiple=True, help="Of this class; repeatable."),
    click.option(
        "--error-class", "error_classes", metavar="NAME", multiple=True, help="Failed with this error; repeatable."
    ),
    click.option("--error", metavar="TEXT", help="With this text in the error's message."),
    click.option("--queue", "queues", metavar="NAME", multiple=True, help="That belong to this queue; repeatable."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="With this tag; repeatable."),
    click.option("--text", metavar="TEXT", help="With this text anywhere: an argument, a key."),
    click.option(
        "--older-than", "older_s", metavar="TIME", callback=_duration_option("--older-than"), help="30m, 2h, 1d ..."
    ),
    click.option(
        "--newer-than", "newer_s", metavar="TIME", callback=_duration_option("--newer-than"), help="30m, 2h, 1d ..."
    ),
    click.option("--all", "everything", is_flag=True, help="Every job there, if nothing else is said."),
)


# -- places ------------------------------------------------------------------------------------------


def places(choice: Choice, fleet: Fleet, default: Sequence[str], allowed: Sequence[str]) -> list[Place]:
    """Where to look: what --in says, else `default`. Raises ConfigError for a place that is not `allowed`."""
    names = choice.places or tuple(default)
    return [place(name, fleet, allowed) for name in dict.fromkeys(names)]


def place(name: str, fleet: Fleet, allowed: Sequence[str]) -> Place:
    """The queue or set of this name. Raises ConfigError."""
    from pillion.api.queues import Queue
    from pillion.api.sets import DeadSet, RetrySet, ScheduledSet

    kind = QUEUE_PREFIX if name.startswith(QUEUE_PREFIX) else name
    if kind not in allowed:
        shown = ", ".join(f"{each}NAME" if each == QUEUE_PREFIX else each for each in allowed)
        hint = f"Did you mean {_likely(name)}?" if QUEUE_PREFIX in allowed and kind not in SETS else ""
        raise ConfigError("--in", f"one of {shown}", name, hint)
    if kind == QUEUE_PREFIX:
        return Queue(name.removeprefix(QUEUE_PREFIX), fleet=fleet)
    if kind == "scheduled":
        return ScheduledSet(fleet=fleet)
    return RetrySet(fleet=fleet) if kind == "retry" else DeadSet(fleet=fleet)


def _likely(name: str) -> str:
    """What was meant by a place that is none: "dead" by "daed", "queue:mail" by "qeue:mail" and by "mail"."""
    near = get_close_matches(name, SETS, n=1)
    prefix, colon, rest = name.partition(":")
    misspelt = colon and get_close_matches(prefix, [QUEUE_PREFIX.rstrip(":")])
    return near[0] if near else f"{QUEUE_PREFIX}{rest if misspelt else name}"


def label(place: Place) -> str:
    """The name of a place as --in takes it."""
    from pillion.api.queues import Queue

    if isinstance(place, Queue):
        return f"{QUEUE_PREFIX}{place.name}"
    return "scheduled" if place.name == "schedule" else place.name


def require_narrow(choice: Choice) -> None:
    """Refuse to act on every job unless --all says so."""
    if choice.is_narrow and choice.everything:
        raise click.UsageError("--all is every job: leave it out, or the other options.")
    if not choice.is_narrow and not choice.everything:
        raise click.UsageError("Say which jobs: JIDs, --class, --error-class, --text ... or --all for every one.")
