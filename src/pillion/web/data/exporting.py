"""Export: all jobs that fit, one after the other, in steps that do not hold up Redis."""

from __future__ import annotations

from typing import Final

from pillion.api.plan import Item, Stream
from pillion.storage.ops import web
from pillion.web.data.finding import Hit, Way, visible_of
from pillion.web.data.models import JobRow, SetName
from pillion.web.data.overview import SETS
from pillion.web.data.redaction import Redact
from pillion.web.data.set_pages import read_filter
from pillion.web.data.source import Source

MOST_ROWS: Final = 100_000
_STEP: Final = 500


def export(source: Source, set_name: SetName, q: str, window: str, redact: Redact) -> Stream[JobRow]:
    """Jobs by their times, the earliest first, up to 100,000; of a set that changes meanwhile, as it is on the way."""
    query = read_filter(q, window, source.now_s)
    key = SETS[set_name]
    way, cursor, left = Way((key,), "asc"), "", MOST_ROWS
    while left > 0:
        begin, skip = way.begin(cursor)
        look = yield web.look([key], "asc", begin=begin, skip=skip, count=_STEP, most=_STEP, texts=query.texts)
        for seen in look.entries:
            visible = visible_of(seen, redact, everything=True)
            if left > 0 and query.matches(visible):
                left -= 1
                yield Item(Hit(seen, visible).row("asc"))
        behind = look.begin + look.looked_at
        further = way.cursor(behind, look.total, look.last_score, look.last_ties) if look.looked_at else None
        if further is None:
            return
        cursor = further
