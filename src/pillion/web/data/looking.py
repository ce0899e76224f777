"""Looking: every page of the dashboard as a call; and what would be done, before it is done. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from pillion.api.call import call, stream_call
from pillion.api.fleet import Fleet
from pillion.api.plan import Plan, Stream
from pillion.web.data import dashboard, fleet_pages, metrics_pages, previews, set_pages, undo_page
from pillion.web.data.audit_page import audit
from pillion.web.data.bulk_page import bulk_page
from pillion.web.data.costs import BUCKETS, BULK, IN_HAND, LOOK, METRICS, OVERVIEW, PICK, SEARCH, SET, SURVEY, WORKS
from pillion.web.data.exporting import export
from pillion.web.data.job_page import job_page
from pillion.web.data.job_sight import JobAsk
from pillion.web.data.models import (
    AuditPage,
    BulkPage,
    BulkPreview,
    BusyPage,
    ClassMetricsPage,
    DashboardPage,
    Frame,
    GroupTable,
    JobPage,
    JobRow,
    MetricsPage,
    QueuePage,
    QueuesPage,
    SearchPage,
    SetName,
    SetPage,
    UndoPage,
    Verdict,
)
from pillion.web.data.redaction import Redact
from pillion.web.data.search_page import search
from pillion.web.data.set_pages import SetAsk
from pillion.web.data.source import Source


class Looking:
    """What a source has to show. `redact` in each call is for one viewer, in place of what was said for all."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def fleet(self) -> Fleet:
        """The Redis that is asked."""
        return self._source.fleet

    def _redact(self, redact: Redact | None) -> Redact:
        return redact or self._source.redact

    # -- pages -------------------------------------------------------------------------------------------

    @call(*OVERVIEW, cost=SURVEY)
    def frame(self) -> Plan[Frame]:
        """What every page has: the bar on top."""
        return (yield from self._source.overview()).frame()

    @call(*OVERVIEW, *METRICS, *LOOK, "CONFIG GET", "ZCOUNT", cost=f"{SURVEY}; 10,000 failed jobs")
    def health(self) -> Plan[Verdict]:
        """Is it healthy, and if not why."""
        return (yield from dashboard.health(self._source))

    @call(*OVERVIEW, *METRICS, *LOOK, "CONFIG GET", "ZCOUNT", "MGET", cost=f"{SURVEY}; 10,000 failed jobs")
    def dashboard(self, *, days: int = 30, redact: Redact | None = None) -> Plan[DashboardPage]:
        """The first screen, with the history of `days` (1 to 180)."""
        return (yield from dashboard.dashboard(self._source, days, self._redact(redact)))

    @call(*OVERVIEW, *METRICS, *WORKS, cost=f"{SURVEY}, W running jobs, 5,000 at most")
    def busy(
        self, *, q: str = "", page: int = 1, count: int = 25, only: str = "", redact: Redact | None = None
    ) -> Plan[BusyPage]:
        """Processes and running jobs; `only` "jobs" or "processes"; `q` filters the jobs."""
        return (yield from fleet_pages.busy(self._source, q, page, count, only, self._redact(redact)))

    @call(*OVERVIEW, cost=SURVEY)
    def queues(self, *, q: str = "", sort: str = "worst", paused_only: bool = False) -> Plan[QueuesPage]:
        """All queues; `sort` is "worst", "name", "size" or "wait"."""
        return (yield from fleet_pages.queues(self._source, q, sort, paused_only=paused_only))

    @call(*OVERVIEW, *LOOK, cost=SEARCH)
    def queue(
        self,
        name: str,
        *,
        q: str = "",
        cursor: str = "",
        page: int = 1,
        count: int = 25,
        order: str = "next",
        everything: bool = False,
        redact: Redact | None = None,
    ) -> Plan[QueuePage]:
        """One queue: page `page` of it, or from `cursor` on what fits `q`. `everything`: nothing is cut."""
        return (
            yield from fleet_pages.queue(
                self._source,
                name,
                q=q,
                cursor=cursor,
                page=page,
                count=count,
                order=order,
                everything=everything,
                redact=self._redact(redact),
            )
        )

    def _set(self, set_name: SetName, asked: SetAsk, redact: Redact | None) -> Plan[SetPage]:
        return set_pages.set_page(self._source, set_name, asked, self._redact(redact))

    @call(*SET, cost=SEARCH)
    def scheduled(
        self,
        *,
        view: str = "list",
        q: str = "",
        window: str = "",
        cursor: str = "",
        page: int = 1,
        count: int = 25,
        order: str = "",
        redact: Redact | None = None,
    ) -> Plan[SetPage]:
        """Jobs planned for later: page `page`, or from `cursor` on what fits `q`; `order` "asc" or "desc"."""
        return (yield from self._set("scheduled", SetAsk(view, q, window, cursor, page, count, order), redact))

    @call(*SET, cost=SEARCH)
    def retries(
        self,
        *,
        view: str = "groups",
        q: str = "",
        window: str = "",
        cursor: str = "",
        page: int = 1,
        count: int = 25,
        order: str = "",
        redact: Redact | None = None,
    ) -> Plan[SetPage]:
        """Jobs that failed and run again, as "groups" of errors or as a "list"; `window` "1h", "24h", "7d" or ""."""
        return (yield from self._set("retries", SetAsk(view, q, window, cursor, page, count, order), redact))

    @call(*SET, cost=SEARCH)
    def dead(
        self,
        *,
        view: str = "groups",
        q: str = "",
        window: str = "",
        cursor: str = "",
        page: int = 1,
        count: int = 25,
        order: str = "",
        redact: Redact | None = None,
    ) -> Plan[SetPage]:
        """Jobs that failed for good; parameters as for `retries`."""
        return (yield from self._set("dead", SetAsk(view, q, window, cursor, page, count, order), redact))

    @call(*LOOK, *METRICS, cost="10,000 failed jobs")
    def errors(
        self, set_name: SetName, *, q: str = "", window: str = "", redact: Redact | None = None
    ) -> Plan[GroupTable]:
        """The groups of errors of a set, alone."""
        return (yield from set_pages.errors(self._source, set_name, q, window, self._redact(redact)))

    @call(*OVERVIEW, *METRICS, *LOOK, *WORKS, *IN_HAND, "XREVRANGE", cost=SEARCH, trips="1, or 2 if it is nowhere")
    def job(
        self,
        jid: str,
        *,
        place: str = "",
        at: float | None = None,
        everything: bool = False,
        redact: Redact | None = None,
    ) -> Plan[JobPage]:
        """One job, wherever it is; quickest with `place` ("queue:NAME", "retries" ...) and `at` (position, or time)."""
        return (yield from job_page(self._source, JobAsk(jid, place, at, everything), self._redact(redact)))

    @call(*OVERVIEW, *METRICS, cost=BUCKETS)
    def metrics(self, *, period: str = "1h", by: str = "total", q: str = "", sort: str = "") -> Plan[MetricsPage]:
        """All classes in a `period` ("1h" to "72h"); the chart shows `by` "total", "runs", "failures" or "average"."""
        return (yield from metrics_pages.metrics(self._source, period, by, q, sort))

    @call(*OVERVIEW, *METRICS, *LOOK, "HMGET", cost=BUCKETS)
    def metrics_job(
        self, job_class: str, *, period: str = "1h", redact: Redact | None = None
    ) -> Plan[ClassMetricsPage]:
        """One class, by its name in the metrics."""
        return (yield from metrics_pages.metrics_job(self._source, job_class, period, self._redact(redact)))

    @call(*OVERVIEW, *METRICS, *LOOK, *WORKS, cost=SEARCH)
    def search(self, q: str, *, cursor: str = "", count: int = 25, redact: Redact | None = None) -> Plan[SearchPage]:
        """What fits `q`, everywhere."""
        return (yield from search(self._source, q, cursor, count, self._redact(redact)))

    @call(*OVERVIEW, "XREVRANGE", "XLEN", cost=f"{SURVEY}; 2,000 entries")
    def audit(self, *, cursor: str = "", count: int = 25, who: str = "") -> Plan[AuditPage]:
        """Who did what, newest first; `who` occurs in the actor, the action or the target."""
        return (yield from audit(self._source, cursor, count, who))

    @call("EVALSHA", "ZREVRANGEBYSCORE", "HGETALL", "TYPE", "LLEN", "ZCARD", *OVERVIEW, cost=SURVEY)
    def undoables(self) -> Plan[UndoPage]:
        """What was removed and can be put back."""
        return (yield from undo_page.undoables(self._source))

    @stream_call(*LOOK, cost="O(N), N = entries of the set", trips="1 for every 500")
    def export(
        self, set_name: SetName, *, q: str = "", window: str = "", redact: Redact | None = None
    ) -> Stream[JobRow]:
        """All jobs that fit, up to 100,000, uncut: `for row in data.export("retries")`."""
        return export(self._source, set_name, q, window, self._redact(redact))

    @call(*BULK, *OVERVIEW, cost=SURVEY)
    def bulk(self, bulk_id: str) -> Plan[BulkPage]:
        """How far an operation is."""
        return (yield from bulk_page(self._source, bulk_id))

    # -- before something is done --------------------------------------------------------------------------

    @call(*LOOK, cost="20,000 entries")
    def preview(
        self, set_name: SetName, action: str, *, q: str = "", window: str = "", redact: Redact | None = None
    ) -> Plan[BulkPreview]:
        """How many jobs fit, and a few of them, before `bulk_start`. Raises ConfigError for another `action`."""
        return (yield from previews.of_filter(self._source, set_name, action, q, window, self._redact(redact)))

    @call("EVALSHA", *PICK, "LLEN", cost="O(K), K = keys")
    def preview_keys(
        self, target: str, action: str, keys: Sequence[str], *, redact: Redact | None = None
    ) -> Plan[BulkPreview]:
        """Which of ticked jobs are still there; `target` is a set, or "queue:NAME"."""
        return (yield from previews.of_keys(self._source, target, action, keys, self._redact(redact)))

    @call(*LOOK, cost="O(1)")
    def preview_queue(self, name: str, *, redact: Redact | None = None) -> Plan[BulkPreview]:
        """How many jobs a queue has, and a few of them, before it is cleared."""
        return (yield from previews.of_queue(self._source, name, self._redact(redact)))

    @call(*LOOK, cost="O(Q), Q = queues")
    def preview_queues(self, names: Sequence[str], *, redact: Redact | None = None) -> Plan[BulkPreview]:
        """The same of several queues."""
        return (yield from previews.of_queues(self._source, names, self._redact(redact)))
