"""One value for each page."""

from __future__ import annotations

from dataclasses import dataclass, field

from pillion.web.data.models.acting import BulkReport
from pillion.web.data.models.fleet import ClassShare, IterationFacts, ProcessRow, QueueRow, RedisCard, RunningRow
from pillion.web.data.models.health import Verdict
from pillion.web.data.models.jobs import ErrorGroup, GroupTable, JobRow, Place, SearchReport
from pillion.web.data.models.pieces import Chart, Fact, Facts, Frame, Pager, SetName, Shown, State, View


@dataclass(slots=True, frozen=True)
class Vital:
    """A tile: a number and how it came to be. `name`: throughput, failures, oldest_wait or used_slots.

    `value` is per minute (throughput, failures: of the last whole minutes), seconds (oldest_wait), a share
    (used_slots). `before` is its average in the last hour, as far as that is known for half of it; else None.
    """

    name: str
    value: float | None
    chart: Chart
    before: float | None = None


@dataclass(slots=True, frozen=True)
class DayCount:
    """One UTC day. `at` is when it began (epoch s); `processed` has the failed ones in it."""

    at: float
    processed: int
    failed: int


@dataclass(slots=True, frozen=True)
class FirstSteps:
    """What a newcomer has done, seen by traces in Redis: pushed a job, started a worker, saw one run."""

    pushed: bool = False
    started: bool = False
    ran: bool = False

    @property
    def all_done(self) -> bool:
        """Whether nothing is left."""
        return self.pushed and self.started and self.ran


@dataclass(slots=True, frozen=True)
class DashboardPage:
    """The first screen. `is_new`: no job has ever run here, show `steps`.

    `queues`: the worst, up to 8. `errors`: the largest groups of the retry set and of the dead set, up to 6
    together, the largest first; with `errors_looked_at` of `errors_total` looked at. `days` as asked (1 to 180),
    newest last in `per_day`.
    """

    frame: Frame
    verdict: Verdict
    vitals: tuple[Vital, ...]
    queues: tuple[QueueRow, ...]
    errors: tuple[tuple[SetName, ErrorGroup], ...]
    errors_looked_at: int
    errors_total: int
    days: int
    per_day: tuple[DayCount, ...]
    redis: RedisCard
    steps: FirstSteps
    is_new: bool = False


@dataclass(slots=True, frozen=True)
class BusyPage:
    """Processes and running jobs. `only` is "", "jobs" or "processes". `query` filters the jobs.

    `lost`: processes that died in the last 15 minutes, as far as this dashboard has seen it.
    """

    frame: Frame
    processes: tuple[ProcessRow, ...]
    process_pager: Pager
    jobs: tuple[RunningRow, ...]
    pager: Pager
    only: str = ""
    query: str = ""
    rss_bytes: int = 0
    quiet: int = 0
    late: int = 0
    lost: tuple[str, ...] = ()

    @property
    def used_share(self) -> float | None:
        """Busy of all slots; None without any."""
        summary = self.frame.summary
        return summary.busy / summary.slots if summary.slots else None


@dataclass(slots=True, frozen=True)
class QueuesPage:
    """All queues, the worst first or by name (`sort`: "worst", "name", "size", "wait"). `total` before filters.

    `hidden`: queues beyond 1,000, which are not shown.
    """

    frame: Frame
    rows: tuple[QueueRow, ...]
    total: int
    query: str = ""
    paused_only: bool = False
    sort: str = "worst"
    hidden: int = 0


@dataclass(slots=True, frozen=True)
class QueuePage:
    """One queue. `order` is "next" (what runs next first) or "newest". `search` is set if a filter was given.

    `exists` false: nothing was ever pushed to it; `did_you_mean` are names like it. `classes`: of a sample of
    `sampled` jobs at both ends.
    """

    frame: Frame
    queue: QueueRow
    rows: tuple[JobRow, ...]
    pager: Pager
    order: str = "next"
    search: SearchReport | None = None
    classes: tuple[ClassShare, ...] = ()
    sampled: int = 0
    exists: bool = True
    did_you_mean: tuple[str, ...] = ()
    shown_all: bool = False


@dataclass(slots=True, frozen=True)
class ScheduleFacts:
    """Of the schedule: jobs due in each minute of the next hour, and those that should have gone already.

    `overdue` are due since more than 30 s. `next_at` is the time of the first (epoch s).
    """

    chart: Chart
    overdue: int = 0
    next_at: float | None = None


@dataclass(slots=True, frozen=True)
class DeadRule:
    """How long the dead are kept. `oldest_at` died first (epoch s), and leaves at `leaves_at`."""

    keep_s: float
    keep_jobs: int
    oldest_at: float | None = None
    leaves_at: float | None = None


@dataclass(slots=True, frozen=True)
class SetPage:
    """Scheduled, Retries or Dead. `view` "groups" has `groups` and no `rows`; "list" the other way round.

    `order`: "asc" (the earliest time first) or "desc". `search` is set if a filter was given: then `rows` are its
    hits and pages go by its cursor, not by `pager`. `bulk` are operations on this set that run or ended within the
    hour, newest first.
    """

    frame: Frame
    set_name: SetName
    view: View
    total: int
    rows: tuple[JobRow, ...] = ()
    pager: Pager = field(default_factory=Pager)
    order: str = "asc"
    search: SearchReport | None = None
    groups: GroupTable | None = None
    schedule: ScheduleFacts | None = None
    dead_rule: DeadRule | None = None
    bulk: tuple[BulkReport, ...] = ()


@dataclass(slots=True, frozen=True)
class Moment:
    """One station on the way of a job.

    `code`: created, scheduled, enqueued, started, failed, failed_again, unknown_tries, running, next_try, due,
    died, dropped. `at` None: it happened and nobody wrote down when. `after_s`: since the station before. `state`
    gives glyph and colour. `is_future`: has not happened yet. `facts` such as {"try": 2, "count": 3}.
    """

    code: str
    state: State
    at: float | None = None
    after_s: float | None = None
    is_future: bool = False
    facts: Facts = field(default_factory=dict[str, Fact])


@dataclass(slots=True, frozen=True)
class TraceLine:
    """A line of a backtrace. `is_app` false: a library, folded away."""

    text: str
    is_app: bool = True


@dataclass(slots=True, frozen=True)
class Extra:
    """A key of the payload that this page has no place for."""

    name: str
    value: Shown


@dataclass(slots=True, frozen=True)
class JobPage:
    """One job. `job` None: not found within the search; `search` says how far it went.

    `args` pretty, one per line; `raw` the payload as stored, redacted. `places`: all places where it was found, the
    first is `job.place`. `same_error` is how many jobs of its set fail alike, of 2,000 (None: no
    error). `usual_s` is the average of its class in the last hour. `audit`: what people did to this jid.
    """

    frame: Frame
    jid: str
    job: JobRow | None = None
    places: tuple[Place, ...] = ()
    args: tuple[Shown, ...] = ()
    timeline: tuple[Moment, ...] = ()
    backtrace: tuple[TraceLine, ...] = ()
    extras: tuple[Extra, ...] = ()
    raw: Shown = field(default_factory=Shown)
    iteration: IterationFacts | None = None
    progress_share: float | None = None
    bid: str | None = None
    next_at: float | None = None
    usual_s: float | None = None
    same_error: int | None = None
    group: str | None = None
    search: SearchReport | None = None
    audit: tuple[AuditRow, ...] = ()
    shown_all: bool = False


@dataclass(slots=True, frozen=True)
class ClassRow:
    """What a class did in the time. `runs` has the failed ones in it; times are of those that did not fail.

    `p50_s` and `p95_s` are estimates from the histogram, only for up to 8 hours; None: not known. `trend` is runs
    by bucket.
    """

    job_class: str
    runs: int
    failed: int
    total_s: float
    average_s: float
    p50_s: float | None = None
    p95_s: float | None = None
    trend: tuple[float, ...] = ()

    @property
    def failed_share(self) -> float:
        """Failed of all runs."""
        return self.failed / self.runs if self.runs else 0.0


@dataclass(slots=True, frozen=True)
class MetricsPage:
    """All classes. `period` is one of `periods` ("1h" ... "72h"); `measure` is what `chart` shows, one of `measures`.

    `chart` has the five largest classes and "other". `rows`: up to 200, by `sort` ("total", "runs", "failures",
    "average": the most first; "name"); `total` all that fit `query`.
    """

    frame: Frame
    period: str
    measure: str
    chart: Chart
    rows: tuple[ClassRow, ...]
    total: int
    query: str = ""
    periods: tuple[str, ...] = ("1h", "2h", "4h", "8h", "24h", "48h", "72h")
    measures: tuple[str, ...] = ("total", "runs", "failures", "average")
    sort: str = "total"
    read_at: float = 0.0


@dataclass(slots=True, frozen=True)
class Bar:
    """A bucket of a histogram: runs of up to `upto_s` (None: slower than all others). `label` such as "20ms"."""

    label: str
    upto_s: float | None
    count: int


@dataclass(slots=True, frozen=True)
class ClassMetricsPage:
    """One class.

    `histogram` has 26 bars, fastest first; none beyond 8 hours. `heat` has up to 60 rows of 26 counts, fastest first;
    each row is `heat_width_s` of time, oldest first, the last one ends now. `errors` are groups of this class in the
    retry set. `row` has its numbers; `exists` false: it did not run in the period.
    """

    frame: Frame
    job_class: str
    period: str
    row: ClassRow
    p99_s: float | None
    runs: Chart
    times: Chart
    histogram: tuple[Bar, ...]
    heat: tuple[tuple[int, ...], ...]
    errors: GroupTable
    heat_width_s: float = 60.0
    exists: bool = True
    periods: tuple[str, ...] = ("1h", "2h", "4h", "8h", "24h", "48h", "72h")
    read_at: float = 0.0


@dataclass(slots=True, frozen=True)
class AuditRow:
    """Who did what.

    `count` is how many jobs it concerned, `jids` are some of them, where they were ticked; `result` "done", "refused"
    or words. `entry_id` is of the stream.
    """

    entry_id: str
    at: float
    actor: str
    role: str
    action: str
    target: str
    words: str = ""
    count: int | None = None
    result: str = ""
    address: str = ""
    undo_id: str = ""
    jids: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class AuditPage:
    """The audit stream, newest first. `cursor`: where older ones begin (None: no older ones). `total` kept in all."""

    frame: Frame
    rows: tuple[AuditRow, ...]
    total: int
    cursor: str | None = None
    query: str = ""


@dataclass(slots=True, frozen=True)
class SearchSection:
    """The hits of one place: a queue or a set, or what runs ("running"). `report` says how far it was searched."""

    place: str
    queue: str
    rows: tuple[JobRow, ...]
    report: SearchReport


@dataclass(slots=True, frozen=True)
class SearchPage:
    """Search over everything. `queues` and `classes` are names that fit; `sections` have the jobs.

    `cursor` goes on with all of it. `processes` are identities that fit.
    """

    frame: Frame
    report: SearchReport
    sections: tuple[SearchSection, ...] = ()
    queues: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
