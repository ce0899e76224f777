"""Busy, Queues, Queue: what runs and what waits."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from pillion.api.plan import Plan, ask, ask_all, together
from pillion.api.record import JobData
from pillion.api.work import Work
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.storage.ops.web import RunningEntry, Works
from pillion.web.data.finding import MOST_ROWS, Found, ask_found, ask_page, job_of
from pillion.web.data.models import (
    BusyPage,
    ClassShare,
    IterationFacts,
    Pager,
    Place,
    Problem,
    QueuePage,
    QueueRow,
    QueuesPage,
    RunningRow,
)
from pillion.web.data.overview import Overview, refused, worst_first, wrong_key
from pillion.web.data.partial import PartialJob
from pillion.web.data.pulse import Pulse
from pillion.web.data.query import Query, read_query
from pillion.web.data.redaction import HIDDEN, Redact
from pillion.web.data.source import Source
from pillion.web.data.texts import HIDDEN_TEXT, json_text, short, shown
from pillion.web.data.visible import Visible
from pillion.wire import keys
from pillion.wire.iteration import read_state

# So many running jobs are looked at, in steps; they are sorted by how long they run.
MOST_RUNNING: Final = 5_000
_STEP: Final = 1_000
_SAMPLE: Final = 500
_SHOWN_CLASSES: Final = 6
_CLOSE_NAMES: Final = 3

_SORTS: Final[dict[str, Callable[[QueueRow], Any]]] = {
    "worst": worst_first,
    "name": lambda queue: queue.name,
    "size": lambda queue: (-queue.size, queue.name),
    "wait": lambda queue: (-queue.wait_s, queue.name),
}


# -- busy ------------------------------------------------------------------------------------------------


def busy(source: Source, q: str, page: int, count: int, only: str, redact: Redact) -> Plan[BusyPage]:
    """Processes and running jobs; both by pages, the jobs that run longest first."""
    query, count = read_query(q), max(1, min(count, MOST_ROWS))
    overview, pulse, works = yield from together([source.overview(), source.pulse(), _ask_works(only)])
    found, problems = list[RunningEntry](), list[Problem]()
    for reply in works:
        if isinstance(reply, RedisError):
            problems.append(refused("running jobs", reply))
        else:
            found += reply.entries
    running = [entry for entry in (_Running(one, redact) for one in found) if query.matches(entry.visible)]
    running.sort(key=lambda entry: (entry.work.run_at or 0.0, entry.entry.identity, entry.entry.thread))
    page_of_jobs = Pager(max(1, page), count, len(running))
    of_processes = Pager(max(1, page), count, len(overview.processes))
    processes = overview.processes
    return BusyPage(
        frame=overview.frame(problems),
        processes=() if only == "jobs" else _part(processes, of_processes),
        process_pager=of_processes,
        jobs=tuple(entry.row(source.now_s, pulse) for entry in _part(running, page_of_jobs)),
        pager=page_of_jobs,
        only=only if only in ("jobs", "processes") else "",
        query=query.text,
        rss_bytes=sum(process.rss_bytes or 0 for process in processes),
        quiet=sum(process.is_quiet for process in processes),
        late=sum(process.is_late for process in processes),
        lost=tuple(short(identity) for identity, _ in overview.lost),
    )


def _ask_works(only: str) -> Plan[list[Works | RedisError]]:
    if only == "processes":
        return []
    return (yield from ask_all([tolerant(web.works(skip=done, count=_STEP)) for done in range(0, MOST_RUNNING, _STEP)]))


def _part(rows: Sequence[Any], pager: Pager) -> tuple[Any, ...]:
    begin = (pager.page - 1) * pager.size
    return tuple(rows[begin : begin + pager.size])


class _Running:
    """An entry of a work hash, as its viewer may see it."""

    def __init__(self, entry: RunningEntry, redact: Redact) -> None:
        self.entry = entry
        self.work = Work(entry.identity, entry.thread, entry.head if not entry.tail else entry.tail)
        self.visible = Visible(running_job(entry), redact, size_bytes=entry.size_bytes if entry.tail else None)

    def row(self, now_s: float, pulse: Pulse) -> RunningRow:
        """The same in a list."""
        job, run_at = self.visible.job, self.work.run_at
        row = self.visible.row(running_place(self.entry, run_at))
        is_its = bool(job.jid) and job.jid == self.entry.jid
        return RunningRow(
            job=row,
            for_s=None if run_at is None else max(0.0, now_s - run_at),
            usual_s=pulse.usual_s.get(job.display_class),
            progress_share=progress_share(self.entry.progress) if is_its else None,
            iteration=iteration_facts(self.entry.iteration, self.visible) if is_its else None,
        )


def running_job(entry: RunningEntry) -> JobData:
    """The job that a work hash tells of; of a large one, what its ends say."""
    if not entry.tail:
        return Work(entry.identity, entry.thread, entry.head).job
    return PartialJob(_unquoted(entry.head), _unquoted(entry.tail))


def _unquoted(part: bytes) -> bytes:
    """A part of a text inside of a text, without the backslashes before its quotes."""
    return part.replace(b'\\"', b'"')


def running_place(entry: RunningEntry, run_at: float | None) -> Place:
    """Where it runs."""
    return Place("running", process=entry.identity, thread=short(entry.thread, 40), since=run_at)


def iteration_facts(fields: Any, visible: Visible) -> IterationFacts | None:
    """How far an iterable job is; None for other jobs."""
    if not fields:
        return None
    state = read_state(fields)
    cursor = visible.value("cursor", state.cursor)
    text = HIDDEN_TEXT if cursor is HIDDEN else shown(json_text(cursor))
    cancelled = None if state.cancelled_at is None else float(state.cancelled_at)
    return IterationFacts(text, state.executions, state.runtime_s, cancelled)


def progress_share(text: bytes) -> float | None:
    """How far a job says that it is; None if it says nothing."""
    try:
        return max(0.0, min(1.0, float(text) / 100)) if text else None
    except ValueError:
        return None


# -- queues ----------------------------------------------------------------------------------------------


def queues(source: Source, q: str, sort: str, *, paused_only: bool) -> Plan[QueuesPage]:
    """All queues whose name has `q` in it."""
    overview: Overview = yield from source.overview()
    text = q.strip()
    rows = [queue for queue in overview.queues if text.lower() in queue.name.lower()]
    rows = [queue for queue in rows if queue.is_paused] if paused_only else rows
    sort = sort if sort in _SORTS else "worst"
    return QueuesPage(
        frame=overview.frame(),
        rows=tuple(sorted(rows, key=_SORTS[sort])),
        total=len(overview.queues),
        query=text,
        paused_only=paused_only,
        sort=sort,
        hidden=overview.hidden_queues,
    )


def queue(
    source: Source,
    name: str,
    *,
    q: str,
    cursor: str,
    page: int,
    count: int,
    order: str,
    everything: bool,
    redact: Redact,
) -> Plan[QueuePage]:
    """One queue: a page of it, or what fits a filter."""
    query, key = read_query(q), keys.queue(name)
    direction: Any = "desc" if order == "newest" else "asc"
    rows = (
        ask_page(key, direction, page=page, count=count, redact=redact, everything=everything)
        if query.is_empty
        else ask_found([key], direction, query, redact=redact, cursor=cursor, limit=count)
    )
    overview, found, sample = yield from together([source.overview(), rows, ask(_sample_op(key))])
    exists = any(one.name == name for one in overview.queues) or sample.total > 0
    return QueuePage(
        frame=overview.frame([wrong_key(wrong) for wrong in found.wrong_keys]),
        queue=overview.queue(name),
        rows=tuple(hit.row(direction) for hit in found.hits),
        pager=Pager(max(1, page), max(1, min(count, MOST_ROWS)), found.total),
        order="newest" if direction == "desc" else "next",
        search=_report(found, query),
        classes=_classes(sample),
        sampled=sum(map(len, sample.runs)),
        exists=exists,
        did_you_mean=() if exists else _close_names(name, overview),
        shown_all=everything,
    )


def _report(found: Found, query: Query) -> Any:
    return None if query.is_empty and not query.misread else found.report(query)


def _sample_op(key: str) -> Any:
    return web.look([key], "asc", count=_SAMPLE, most=_SAMPLE, whole_bytes=8192, back_bytes=1_000_000)


def _classes(sample: web.Look) -> tuple[ClassShare, ...]:
    """Which classes are how much of what runs next."""
    counts = Counter(short(job_of(seen).display_class) for seen in sample.entries)
    whole = counts.total()
    return tuple(ClassShare(label, count, count / whole) for label, count in counts.most_common(_SHOWN_CLASSES))


def _close_names(name: str, overview: Overview) -> tuple[str, ...]:
    names = [queue.name for queue in overview.queues]
    return tuple(difflib.get_close_matches(name[:100], names, _CLOSE_NAMES, 0.5))
