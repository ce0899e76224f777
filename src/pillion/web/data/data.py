"""Data: everything that the dashboard shows and does, as calls that block or can be awaited.

    data = Data(fleet)
    data.retries(view="groups")              # from a thread
    await data.retries.aio(view="groups")    # from an event loop

A page is one round trip, and nothing of it holds Redis up for more than some milliseconds, however much there is.
Numbers are taken within bounds, whatever is asked for. `redact` says for one viewer what may be shown, in place of
what was said for all (see `redaction`). Reading changes nothing. All calls raise RedisError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pillion.api.call import call, stream_call
from pillion.api.entry import TO_DEAD_COMMANDS, TO_QUEUE_COMMANDS, TO_TIME_COMMANDS
from pillion.api.fleet import Fleet
from pillion.api.plan import Plan, Stream, together
from pillion.api.undo import REMOVE_ALL_COMMANDS, REMOVE_MEMBERS_COMMANDS
from pillion.features.health.thresholds import Thresholds
from pillion.web.data import actions, bulk, dashboard, fleet_pages, metrics_pages, previews, set_pages, undo_page
from pillion.web.data.audit_page import audit
from pillion.web.data.bulk_record import ask_record
from pillion.web.data.cache import Cache
from pillion.web.data.exporting import export
from pillion.web.data.job_page import JobAsk, job_page
from pillion.web.data.models import (
    AuditPage,
    BulkPage,
    BulkPreview,
    BulkReport,
    BusyPage,
    ClassMetricsPage,
    DashboardPage,
    Frame,
    GroupTable,
    JobPage,
    JobRow,
    MetricsPage,
    Outcome,
    QueuePage,
    QueuesPage,
    SearchPage,
    SetName,
    SetPage,
    UndoPage,
    Verdict,
)
from pillion.web.data.redaction import Redact, show_all
from pillion.web.data.search_page import search
from pillion.web.data.set_pages import SetAsk
from pillion.web.data.source import Source

__all__ = ["Data"]

# What parts of a page send to Redis, for `explain()`.
_OVERVIEW: Final = ("EVALSHA", "SMEMBERS", "HMGET", "HEXISTS", "LLEN", "LINDEX", "GET", "ZCARD")
_LOOK: Final = ("EVALSHA", "TYPE", "ZCARD", "LLEN", "SMEMBERS", "ZRANGE", "ZREVRANGE", "LRANGE", "ZCOUNT")
_WORKS: Final = ("EVALSHA", "SMEMBERS", "HLEN", "HGETALL", "GET")
_METRICS: Final = ("HGETALL", "BITFIELD_RO")
_SET: Final = (*_OVERVIEW, *_LOOK, *_METRICS)
_PICK: Final = ("EVALSHA", "ZRANGEBYSCORE", "ZRANGE", "ZSCORE", "LRANGE")
_BULK: Final = ("HGETALL", "HGET", "HSET", "HDEL", "EXPIRE", "SET", "EXISTS", "UNLINK", "EVALSHA")
_MOVES: Final = (*TO_QUEUE_COMMANDS, *TO_DEAD_COMMANDS, *TO_TIME_COMMANDS, *REMOVE_MEMBERS_COMMANDS)
_PAUSE: Final = ("EVALSHA", "SREM", "SADD", "PUBLISH")
_TELL: Final = ("SISMEMBER", "HMGET", "MULTI", "LPUSH", "EXPIRE", "EXEC")
_UNDO: Final = ("HGETALL", "LLEN", "ZCARD", "EVALSHA", "RENAME", "LMOVE", "ZPOPMIN", "ZADD", "UNLINK", "ZREM")
_SURVEY: Final = "O(P + Q), P = processes, Q = queues, 1000 of each at most"
_SEARCH: Final = f"{_SURVEY}; 20,000 entries at most"
_BUCKETS: Final = f"{_SURVEY}; O(B*C), B = buckets, C = classes"


class Data:
    """What one Redis has to show.

    Parameters: `fleet` says which Redis, and has the settings (limits of the dead set, client middleware); `redact`
    what may be shown of jobs, all if nothing is said; `thresholds` from which numbers on something is wrong. Keeps
    answers for a second, those of metrics for ten, and samples of sizes for an hour. Safe to share between threads.
    """

    def __init__(self, fleet: Fleet, *, redact: Redact | None = None, thresholds: Thresholds | None = None) -> None:
        self.fleet = fleet
        self._source = Source(fleet, redact or show_all, thresholds or Thresholds(), Cache(fleet.clock))

    def _redact(self, redact: Redact | None) -> Redact:
        return redact or self._source.redact

    # -- pages -------------------------------------------------------------------------------------------

    @call(*_OVERVIEW, cost=_SURVEY)
    def frame(self) -> Plan[Frame]:
        """What every page has: the bar on top."""
        return (yield from self._source.overview()).frame()

    @call(*_OVERVIEW, *_METRICS, *_LOOK, "INFO", "CONFIG GET", "ZCOUNT", cost=f"{_SURVEY}; 10,000 failed jobs")
    def health(self) -> Plan[Verdict]:
        """Is it healthy, and if not why."""
        return (yield from dashboard.health(self._source))

    @call(*_OVERVIEW, *_METRICS, *_LOOK, "INFO", "CONFIG GET", "ZCOUNT", "MGET", cost=f"{_SURVEY}; 10,000 failed jobs")
    def dashboard(self, *, days: int = 30, redact: Redact | None = None) -> Plan[DashboardPage]:
        """The first screen, with the history of `days` (1 to 180)."""
        return (yield from dashboard.dashboard(self._source, days, self._redact(redact)))

    @call(*_OVERVIEW, *_METRICS, *_WORKS, cost=f"{_SURVEY}, W running jobs, 5,000 at most")
    def busy(
        self, *, q: str = "", page: int = 1, count: int = 25, only: str = "", redact: Redact | None = None
    ) -> Plan[BusyPage]:
        """Processes and running jobs; `only` "jobs" or "processes"; `q` filters the jobs."""
        return (yield from fleet_pages.busy(self._source, q, page, count, only, self._redact(redact)))

    @call(*_OVERVIEW, cost=_SURVEY)
    def queues(self, *, q: str = "", sort: str = "worst", paused_only: bool = False) -> Plan[QueuesPage]:
        """All queues; `sort` is "worst", "name", "size" or "wait"."""
        return (yield from fleet_pages.queues(self._source, q, sort, paused_only=paused_only))

    @call(*_OVERVIEW, *_LOOK, cost=_SEARCH)
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

    @call(*_SET, cost=_SEARCH)
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

    @call(*_SET, cost=_SEARCH)
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

    @call(*_SET, cost=_SEARCH)
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

    @call(*_LOOK, *_METRICS, cost="10,000 failed jobs")
    def errors(
        self, set_name: SetName, *, q: str = "", window: str = "", redact: Redact | None = None
    ) -> Plan[GroupTable]:
        """The groups of errors of a set, alone."""
        return (yield from set_pages.errors(self._source, set_name, q, window, self._redact(redact)))

    @call(*_OVERVIEW, *_METRICS, *_LOOK, *_WORKS, "XREVRANGE", cost=_SEARCH)
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

    @call(*_OVERVIEW, *_METRICS, cost=_BUCKETS)
    def metrics(self, *, period: str = "1h", by: str = "total", q: str = "", sort: str = "") -> Plan[MetricsPage]:
        """All classes in a `period` ("1h" to "72h"); the chart shows `by` "total", "runs", "failures" or "average"."""
        return (yield from metrics_pages.metrics(self._source, period, by, q, sort))

    @call(*_OVERVIEW, *_METRICS, *_LOOK, "HMGET", cost=_BUCKETS)
    def metrics_job(
        self, job_class: str, *, period: str = "1h", redact: Redact | None = None
    ) -> Plan[ClassMetricsPage]:
        """One class, by its name in the metrics."""
        return (yield from metrics_pages.metrics_job(self._source, job_class, period, self._redact(redact)))

    @call(*_OVERVIEW, *_METRICS, *_LOOK, *_WORKS, cost=_SEARCH)
    def search(self, q: str, *, cursor: str = "", count: int = 25, redact: Redact | None = None) -> Plan[SearchPage]:
        """What fits `q`, everywhere."""
        return (yield from search(self._source, q, cursor, count, self._redact(redact)))

    @call(*_OVERVIEW, "XREVRANGE", "XLEN", cost=f"{_SURVEY}; 2,000 entries")
    def audit(self, *, cursor: str = "", count: int = 25, who: str = "") -> Plan[AuditPage]:
        """Who did what, newest first; `who` occurs in the actor, the action or the target."""
        return (yield from audit(self._source, cursor, count, who))

    @call("EVALSHA", "ZREVRANGEBYSCORE", "HGETALL", "TYPE", "LLEN", "ZCARD", *_OVERVIEW, cost=_SURVEY)
    def undoables(self) -> Plan[UndoPage]:
        """What was removed and can be put back."""
        return (yield from undo_page.undoables(self._source))

    @stream_call(*_LOOK, cost="O(N), N = entries of the set", trips="1 for every 500")
    def export(
        self, set_name: SetName, *, q: str = "", window: str = "", redact: Redact | None = None
    ) -> Stream[JobRow]:
        """All jobs that fit, up to 100,000, uncut: `for row in data.export("retries")`."""
        return export(self._source, set_name, q, window, self._redact(redact))

    # -- before something is done --------------------------------------------------------------------------

    @call(*_LOOK, cost="20,000 entries")
    def preview(
        self, set_name: SetName, action: str, *, q: str = "", window: str = "", redact: Redact | None = None
    ) -> Plan[BulkPreview]:
        """How many jobs fit, and a few of them, before `bulk_start`. Raises ConfigError for another `action`."""
        return (yield from previews.of_filter(self._source, set_name, action, q, window, self._redact(redact)))

    @call("EVALSHA", *_PICK, "LLEN", cost="O(K), K = keys")
    def preview_keys(
        self, target: str, action: str, keys: Sequence[str], *, redact: Redact | None = None
    ) -> Plan[BulkPreview]:
        """Which of ticked jobs are still there; `target` is a set, or "queue:NAME"."""
        return (yield from previews.of_keys(self._source, target, action, keys, self._redact(redact)))

    @call(*_LOOK, cost="O(1)")
    def preview_queue(self, name: str, *, redact: Redact | None = None) -> Plan[BulkPreview]:
        """How many jobs a queue has, and a few of them, before it is cleared."""
        return (yield from previews.of_queue(self._source, name, self._redact(redact)))

    # -- many ------------------------------------------------------------------------------------------------

    @call(*_LOOK, *_BULK, cost="20,000 entries", trips="3")
    def bulk_start(
        self,
        set_name: SetName,
        action: str,
        *,
        q: str = "",
        window: str = "",
        cutoff_at: float | None = None,
        expected_count: int | None = None,
        actor: str = "",
        redact: Redact | None = None,
    ) -> Plan[BulkReport]:
        """Note an operation on all jobs that fit and were there at `cutoff_at`; `bulk_run` carries it out.

        Raises CountChanged if far more or fewer match than `expected_count`, BulkBusy if another operation of
        `actor` runs, ConfigError for an `action` that is not "retry", "kill" or "delete". Then nothing is noted.
        """
        return (
            yield from bulk.start(
                self._source,
                set_name,
                action,
                q=q,
                window=window,
                cutoff_at=cutoff_at,
                expected_count=expected_count,
                actor=actor,
                redact=self._redact(redact),
            )
        )

    @call(*_LOOK, *_BULK, *_MOVES, cost="O(N log N), N = entries of the set", trips="4 for every 1000 entries")
    def bulk_run(self, bulk_id: str) -> Plan[BulkReport]:
        """Carry out an operation until it is done or stopped; also go on with one. Takes long. Raises NoSuchBulk."""
        return (yield from bulk.carry_out(self._source, bulk_id))

    @call(*_BULK, cost="O(1)", trips="2 or 3")
    def bulk_stop(self, bulk_id: str) -> Plan[BulkReport]:
        """Ask for its end; it comes with the next page. Raises NoSuchBulk."""
        return (yield from bulk.stop(self._source, bulk_id))

    @call(*_BULK, *_OVERVIEW, cost=_SURVEY)
    def bulk(self, bulk_id: str) -> Plan[BulkPage]:
        """How far an operation is."""
        overview, record = yield from together([self._source.overview(), ask_record(bulk_id)])
        report = None if record is None else record.report(self._source.now_s)
        return BulkPage(overview.frame(), bulk_id, report)

    # -- a few -----------------------------------------------------------------------------------------------

    @call(*_MOVES, *_PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2")
    def set_retry(self, set_name: SetName, keys: Sequence[str]) -> Plan[Outcome]:
        """Push ticked jobs to their queues now."""
        return (yield from actions.act_on_set(self._source, set_name, "retry", keys))

    @call(*_MOVES, *_PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2")
    def set_kill(self, set_name: SetName, keys: Sequence[str]) -> Plan[Outcome]:
        """Move ticked jobs to the dead set."""
        return (yield from actions.act_on_set(self._source, set_name, "kill", keys))

    @call(*_MOVES, *_PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2")
    def set_delete(self, set_name: SetName, keys: Sequence[str]) -> Plan[Outcome]:
        """Delete ticked jobs, with undo."""
        return (yield from actions.act_on_set(self._source, set_name, "delete", keys))

    @call(*_MOVES, *_PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2 or 3")
    def set_move(self, set_name: SetName, keys: Sequence[str], by_s: float) -> Plan[Outcome]:
        """Add `by_s` seconds to the times of ticked jobs."""
        return (yield from actions.act_on_set(self._source, set_name, "move", keys, by_s))

    @call("LREM", "LLEN", *_MOVES, *_PICK, cost="O(K*D), K = keys, D = distance to the nearer end", trips="2")
    def queue_delete(self, name: str, keys: Sequence[str]) -> Plan[Outcome]:
        """Delete ticked jobs of a queue, with undo."""
        return (yield from actions.delete_listed(self._source, name, keys))

    @call(*_PAUSE, cost="O(W), W = worker processes")
    def queue_pause(self, name: str) -> Plan[Outcome]:
        """Let no worker take jobs of a queue."""
        return (yield from actions.set_paused(self._source, [name], is_paused=True))

    @call(*_PAUSE, cost="O(W), W = worker processes")
    def queue_resume(self, name: str) -> Plan[Outcome]:
        """Let workers take them again."""
        return (yield from actions.set_paused(self._source, [name], is_paused=False))

    @call("EVALSHA", *REMOVE_ALL_COMMANDS, cost="O(1)")
    def queue_clear(self, name: str) -> Plan[Outcome]:
        """Remove all jobs of a queue, with undo."""
        return (yield from actions.clear(self._source, [name]))

    @call(*_PAUSE, cost="O(Q*W), Q = queues, W = worker processes")
    def queues_pause(self, names: Sequence[str]) -> Plan[Outcome]:
        """Pause several queues."""
        return (yield from actions.set_paused(self._source, names, is_paused=True))

    @call(*_PAUSE, cost="O(Q*W), Q = queues, W = worker processes")
    def queues_resume(self, names: Sequence[str]) -> Plan[Outcome]:
        """Resume several queues."""
        return (yield from actions.set_paused(self._source, names, is_paused=False))

    @call("EVALSHA", *REMOVE_ALL_COMMANDS, cost="O(Q), Q = queues", trips="1 a queue")
    def queues_clear(self, names: Sequence[str]) -> Plan[Outcome]:
        """Remove all jobs of several queues, with undo."""
        return (yield from actions.clear(self._source, names))

    @call(*_TELL, cost="O(1)", trips="3")
    def process_quiet(self, identity: str) -> Plan[Outcome]:
        """Tell a process to take no more jobs."""
        return (yield from actions.tell(self._source, identity, "TSTP"))

    @call(*_TELL, cost="O(1)", trips="3")
    def process_stop(self, identity: str) -> Plan[Outcome]:
        """Tell a process to end."""
        return (yield from actions.tell(self._source, identity, "TERM"))

    @call(*_TELL, cost="O(1)", trips="3")
    def process_dump(self, identity: str) -> Plan[Outcome]:
        """Tell a process to write what its threads do to its log."""
        return (yield from actions.tell(self._source, identity, "TTIN"))

    @call(*_OVERVIEW, "LPUSH", "EXPIRE", cost=_SURVEY, trips="2")
    def processes_quiet(self) -> Plan[Outcome]:
        """Tell all processes to take no more jobs."""
        return (yield from actions.tell_all(self._source, "TSTP"))

    @call(*_OVERVIEW, "LPUSH", "EXPIRE", cost=_SURVEY, trips="2")
    def processes_stop(self) -> Plan[Outcome]:
        """Tell all processes to end."""
        return (yield from actions.tell_all(self._source, "TERM"))

    @call(*_UNDO, cost="O(1) if nothing came since, else O(N), N = jobs", trips="3, more for many jobs")
    def undo(self, undo_id: str) -> Plan[Outcome]:
        """Put back what was removed."""
        return (yield from actions.restore(self._source, undo_id))
