"""What would be done: how many jobs, and a few of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from pillion.api.plan import Plan, ask_all
from pillion.api.record import JobData
from pillion.storage.ops import web
from pillion.web.data.actions import MOST_KEYS, ask_chosen, ask_listed, read_keys
from pillion.web.data.bulk import checked_action, filter_of
from pillion.web.data.counting import SAMPLES, ask_count
from pillion.web.data.finding import Hit, visible_of
from pillion.web.data.models import BulkPreview, JobRow, Place, SetName
from pillion.web.data.query import after, read_query
from pillion.web.data.redaction import Redact
from pillion.web.data.source import Source
from pillion.web.data.visible import Visible
from pillion.wire import keys as wire_keys

TYPED_ABOVE: Final = 100
_QUEUE: Final = "queue:"


def of_filter(source: Source, set_name: SetName, action: str, q: str, window: str, redact: Redact) -> Plan[BulkPreview]:
    """Of all jobs that fit. Raises ConfigError for an action that cannot be."""
    checked_action(set_name, action)
    now_s = source.now_s
    query = filter_of(set_name, q, after(now_s, window), now_s)
    counted = yield from ask_count(set_name, query, redact)
    return BulkPreview(
        set_name=set_name,
        action=action,
        query=query.text,
        count=counted.count,
        is_exact=counted.is_exact,
        cutoff_at=now_s,
        samples=counted.samples,
        searched=counted.looked_at,
        total=counted.total,
        must_type=_word(action, counted.count),
        words=query.words,
    )


def of_keys(source: Source, target: str, action: str, keys: Iterable[str], redact: Redact) -> Plan[BulkPreview]:
    """Of ticked jobs of a set or of `queue:NAME`: those that are still there."""
    wanted = read_keys(keys)
    if target.startswith(_QUEUE):
        name = target.removeprefix(_QUEUE)
        _, listed = yield from ask_listed(name, wanted)
        jobs = [Visible(JobData(payload, name), redact) for _, payload in listed]
        place, set_name = Place("enqueued", queue=name), None
    else:
        set_name = _set_of(target)
        chosen = yield from ask_chosen(set_name, wanted)
        jobs = [Visible(JobData(one.member), redact) for one in chosen]
        place = Place("dead" if set_name == "dead" else "retrying", set_name=set_name)
    samples = tuple(job.row(place) for job in jobs[:SAMPLES])
    return _preview(source, set_name, action, len(jobs), samples)


def of_queue(source: Source, name: str, redact: Redact) -> Plan[BulkPreview]:
    """Of a whole queue: as it is when it is cleared, so that there is no cutoff."""
    return (yield from of_queues(source, [name], redact))


def of_queues(source: Source, names: Sequence[str], redact: Redact) -> Plan[BulkPreview]:
    """The same of several queues: samples of the first ones that have jobs."""
    looks: list[web.Look] = yield from ask_all(
        [web.look([wire_keys.queue(name)], "asc", count=SAMPLES, most=SAMPLES) for name in names[:MOST_KEYS]]
    )
    first = [seen for look in looks for seen in list(look.entries)[: max(1, SAMPLES // len(looks))]]
    samples = tuple(Hit(seen, visible_of(seen, redact)).row("asc") for seen in first[:SAMPLES])
    return replace(_preview(source, None, "clear", sum(look.total for look in looks), samples), cutoff_at=None)


def _preview(
    source: Source, set_name: SetName | None, action: str, count: int, samples: tuple[JobRow, ...]
) -> BulkPreview:
    return BulkPreview(
        set_name=set_name,
        action=action,
        query=read_query("").text,
        count=count,
        is_exact=True,
        cutoff_at=source.now_s,
        samples=samples,
        searched=count,
        total=count,
        must_type=_word(action, count),
    )


def _set_of(target: str) -> SetName:
    return "scheduled" if target == "scheduled" else "dead" if target == "dead" else "retries"


def _word(action: str, count: int) -> str:
    """What brings jobs on, such as a retry, needs no word."""
    return action if action != "retry" and count > TYPED_ABOVE else ""
