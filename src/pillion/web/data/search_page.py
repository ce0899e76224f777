"""Search over everything: what runs, the sets, all queues, and names of queues, processes and classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from pillion.api.plan import Plan, ask_all, together
from pillion.api.work import Work
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.storage.ops.web import Works
from pillion.web.data.finding import STEP, Found, ask_found
from pillion.web.data.fleet_pages import running_job, running_place
from pillion.web.data.models import JobRow, SearchPage, SearchReport, SearchSection
from pillion.web.data.overview import wrong_key
from pillion.web.data.query import Query, read_query
from pillion.web.data.redaction import Redact
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.web.data.visible import Visible
from pillion.wire import keys

_WHERE: Final = (keys.RETRY, keys.DEAD, keys.SCHEDULE, keys.QUEUES)
_MOST_RUNNING: Final = 3_000
_MOST_NAMES: Final = 10


def search(source: Source, q: str, cursor: str, count: int, redact: Redact) -> Plan[SearchPage]:
    """What fits, up to `count` jobs of sets and queues; with a cursor, further ones."""
    query = read_query(q)
    if query.is_empty:
        overview = yield from source.overview()
        return SearchPage(overview.frame(), SearchReport(query.text, query.words, misread=query.misread))
    overview, pulse, found, works = yield from together(
        [
            source.overview(),
            source.pulse(),
            ask_found(_WHERE, "desc", query, redact=redact, cursor=cursor, limit=count),
            _ask_works(is_first=not cursor),
        ]
    )
    running = [] if cursor else list(_running(works, query, redact))[:count]
    text = query.text.lower()
    is_name = not cursor and " " not in text
    return SearchPage(
        frame=overview.frame([wrong_key(key) for key in found.wrong_keys]),
        report=found.report(query),
        sections=(*_running_section(running, query), *_sections(found, query)),
        queues=_fitting([queue.name for queue in overview.queues], text) if is_name else (),
        processes=_fitting([process.identity for process in overview.processes], text) if is_name else (),
        classes=_fitting([one.name for one in pulse.classes], text) if is_name else (),
    )


def _ask_works(*, is_first: bool) -> Plan[list[Works | RedisError]]:
    if not is_first:
        return []
    steps = range(0, _MOST_RUNNING, STEP)
    return (yield from ask_all([tolerant(web.works(skip=done, count=STEP)) for done in steps]))


def _running(works: Sequence[Any], query: Query, redact: Redact) -> Iterator[JobRow]:
    for reply in works:
        for entry in () if isinstance(reply, RedisError) else reply.entries:
            visible = Visible(running_job(entry), redact, size_bytes=entry.size_bytes if entry.tail else None)
            if query.matches(visible):
                run_at = Work(entry.identity, entry.thread, entry.tail or entry.head).run_at
                yield visible.row(running_place(entry, run_at))


def _running_section(rows: Sequence[JobRow], query: Query) -> Iterator[SearchSection]:
    if rows:
        report = SearchReport(query.text, query.words, len(rows), len(rows), len(rows))
        yield SearchSection("running", "", tuple(rows), report)


def _sections(found: Found, query: Query) -> Iterator[SearchSection]:
    """Hits of one place after the other, as they were found."""
    for key, hits in groupby(found.hits, key=lambda hit: hit.seen.key):
        rows = tuple(hit.row("desc") for hit in hits)
        place = rows[0].place
        report = SearchReport(query.text, query.words, found.searched, found.total, len(rows), found.cursor)
        queue = key.removeprefix(keys.queue("")) if place.set_name is None else ""
        yield SearchSection(place.set_name or "queue", queue, rows, report)


def _fitting(names: Sequence[str], text: str) -> tuple[str, ...]:
    return tuple(short(name) for name in names if text in name.lower())[:_MOST_NAMES]
