"""Jobs as rows, errors as groups, how far a search got."""

from __future__ import annotations

from dataclasses import dataclass

from pillion.web.data.models.pieces import Mark, SetName, Shown, State


@dataclass(slots=True, frozen=True)
class Place:
    """Where a job is.

    `queue` for state "enqueued" ("held": in the hands of a process that died), `set_name` in a set. `at` is the
    score in a set: when it is due, or died. `position` is the place in the queue, 1 runs next (None: not counted).
    `process` and `thread` say where it runs, since `since` (epoch s). Without a thread, `process` has taken it from
    `queue`, and no heartbeat has told of it yet.
    """

    state: State
    queue: str = ""
    set_name: SetName | None = None
    at: float | None = None
    position: int | None = None
    process: str = ""
    thread: str = ""
    since: float | None = None


@dataclass(slots=True, frozen=True)
class ErrorFacts:
    """What a job failed with. `fingerprint` is the same for errors that differ in numbers and ids only."""

    error_class: str
    message: Shown
    fingerprint: str
    failed_at: float | None = None
    retried_at: float | None = None

    @property
    def last_at(self) -> float | None:
        """When it failed last (epoch s)."""
        return self.failed_at if self.retried_at is None else self.retried_at


@dataclass(slots=True, frozen=True)
class JobRow:
    """A job in a list: of a queue, of a set, or running.

    `key` addresses the row for actions (opaque, in forms as `key`): it stays right while others come and go.
    `label` is the class as a person names it, `job_class` the one that runs (a wrapper). `place` says where it is.
    `context` is what was current at the push. `tries` is how often it ran and failed; `max_tries` how often it may
    run in all. `is_readable` false: the bytes are no job, `args` has their text.
    """

    key: str
    jid: str
    label: str
    job_class: str
    queue: str
    args: Shown
    place: Place
    tags: tuple[str, ...] = ()
    context: Shown | None = None
    created_at: float | None = None
    enqueued_at: float | None = None
    error: ErrorFacts | None = None
    tries: int | None = None
    max_tries: int | None = None
    size_bytes: int = 0
    is_readable: bool = True


@dataclass(slots=True, frozen=True)
class SearchReport:
    """How far a search got: "searched 20,000 of 1,000,000 – go on".

    `words` is the filter as chips: name to value ("text", "class", "error", "queue", "tag", "jid", "args",
    "tries"). `cursor` is where to go on (opaque, as `?cursor=`); None: everything was searched. `misread` are words
    that mean nothing here, each with a sentence in English.
    """

    query: str
    words: tuple[tuple[str, str], ...] = ()
    searched: int = 0
    total: int = 0
    hits: int = 0
    cursor: str | None = None
    misread: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything was searched."""
        return self.cursor is None


@dataclass(slots=True, frozen=True)
class ErrorGroup:
    """Jobs of one set that failed alike: same class, same error, same message but for numbers and ids.

    `query` is the filter (`q`) that says exactly this group; `fingerprint` is its name. `message` is of the job that
    failed last, `pattern` what they share, with `<n>` and such ("" if it may not be seen). `where` is the innermost
    line of the application ("" unknown). `history` are failures by hour, see `GroupTable`. `deploy` is the last one
    before `first_at`. `samples` are up to three jids; `sample_keys` their `JobRow.key`.
    """

    fingerprint: str
    label: str
    error_class: str
    pattern: str
    message: Shown
    count: int
    query: str
    tries_low: int | None = None
    tries_high: int | None = None
    first_at: float | None = None
    last_at: float | None = None
    history: tuple[int, ...] = ()
    where: str = ""
    deploy: Mark | None = None
    samples: tuple[str, ...] = ()
    sample_keys: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class GroupTable:
    """Error groups, the largest first: of the newest `looked_at` of `total` jobs in `set_name`.

    Newest: in the dead set the last to die; in the retry set those that are tried next, as what fails now is
    tried again soon. `history_from` (epoch s) and `history_width_s` say what `ErrorGroup.history` counts.
    `unreadable` entries are no jobs at all.
    """

    set_name: SetName
    groups: tuple[ErrorGroup, ...] = ()
    looked_at: int = 0
    total: int = 0
    unreadable: int = 0
    more_groups: int = 0
    history_from: float = 0.0
    history_width_s: float = 3600.0

    @property
    def is_whole(self) -> bool:
        """Whether all jobs of the set were looked at."""
        return self.looked_at >= self.total
