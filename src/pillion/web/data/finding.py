"""Finding jobs in sets and queues: pages by number, and searches that end after a while and can go on.

A search looks at up to 20,000 entries in one round trip, in steps of some milliseconds for Redis. What was found
is read here once more, as its viewer may see it: what is hidden cannot be searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pillion.api.plan import Plan, ask, ask_all
from pillion.api.record import JobData
from pillion.storage.ops import web
from pillion.storage.ops.web import Direction, From, Look, Seen
from pillion.web.data.keys import RowKey
from pillion.web.data.models import JobRow, Place, SearchReport, SetName, State
from pillion.web.data.overview import SETS
from pillion.web.data.partial import PartialJob
from pillion.web.data.query import Query
from pillion.web.data.redaction import Redact
from pillion.web.data.visible import Visible
from pillion.wire import keys

MOST_ROWS: Final = 500
MOST_HITS: Final = 100
BUDGET: Final = 20_000
# Where Redis can leave nothing out, every entry travels and is read here.
BUDGET_UNSIFTED: Final = 5_000
STEP: Final = 500

_SET_OF: Final[dict[str, SetName]] = {key: name for name, key in SETS.items()}
_STATE_OF: Final[dict[str, State]] = {keys.SCHEDULE: "scheduled", keys.RETRY: "retrying", keys.DEAD: "dead"}
_CURSOR: Final = re.compile(r"s(-?[0-9.einf+-]{1,40}):([0-9]{1,15})|l([0-9]{1,15})|r([0-9]{1,15})")


@dataclass(slots=True, frozen=True)
class Hit:
    """An entry that was found, as its viewer may see it."""

    seen: Seen
    visible: Visible

    def row(self, direction: Direction) -> JobRow:
        """The same in a list. `direction` is that of the look."""
        seen, job = self.seen, self.visible.job
        from_first = seen.rank if direction == "asc" else seen.size - 1 - seen.rank
        key = str(RowKey(seen.score, seen.digest, from_first))
        if seen.score is None:
            place = Place("enqueued", queue=job.queue, position=from_first + 1)
        else:
            place = Place(_STATE_OF.get(seen.key, "held"), set_name=_SET_OF.get(seen.key), at=seen.score)
        return self.visible.row(place, key)


@dataclass(slots=True)
class Found:
    """What a search has found: `hits` among `searched` entries of `total`. `cursor`: where to go on."""

    hits: list[Hit] = field(default_factory=list[Hit])
    searched: int = 0
    total: int = 0
    cursor: str | None = None
    wrong_keys: tuple[str, ...] = ()

    def report(self, query: Query) -> SearchReport:
        """How far it got, in words."""
        return SearchReport(
            query.text, query.words, self.searched, self.total, len(self.hits), self.cursor, query.misread
        )


def job_of(seen: Seen) -> JobData:
    """The job of an entry. One in a queue belongs to that queue, whatever it says."""
    prefix = keys.queue("")
    queue = seen.key.removeprefix(prefix) if seen.score is None and seen.key.startswith(prefix) else None
    return JobData(seen.head, queue) if seen.is_whole else PartialJob(seen.head, seen.tail, queue)


def visible_of(seen: Seen, redact: Redact, *, everything: bool = False) -> Visible:
    """An entry as its viewer may see it."""
    return Visible(job_of(seen), redact, everything=everything, size_bytes=seen.size_bytes, score=seen.score)


# -- pages -----------------------------------------------------------------------------------------------


def ask_page(
    key: str, direction: Direction, *, page: int, count: int, redact: Redact, everything: bool = False
) -> Plan[Found]:
    """One page of a set or a queue, by its number from 1."""
    count = max(1, min(count, MOST_ROWS))
    begin = (max(1, page) - 1) * count
    look = yield from ask(web.look([key], direction, begin=("rank", begin), count=count, most=count))
    hits = [Hit(seen, visible_of(seen, redact, everything=everything)) for seen in look.entries]
    return Found(hits, look.looked_at, look.total, None, look.wrong_keys)


# -- searches --------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Way:
    """Where a search goes, and how its places are remembered.

    In a set by time, which stays right while others come and go; in a queue, newest first, by how many are left
    towards the end where jobs leave; else by number.
    """

    where: tuple[str, ...]
    direction: Direction

    @property
    def is_queue(self) -> bool:
        """Whether it goes through one queue."""
        return len(self.where) == 1 and self.where[0].startswith(keys.queue(""))

    @property
    def is_set(self) -> bool:
        """Whether it goes through one set."""
        return len(self.where) == 1 and not self.is_queue and self.where[0] != keys.QUEUES

    def begin(self, cursor: str) -> tuple[tuple[From, str], int]:
        """Where a cursor says to begin, and how many to pass over there; the beginning, if it cannot be read."""
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            return ("rank", "0"), 0
        if found[1] is not None:
            return (self._anchor, found[1]) if self.is_set and _is_number(found[1]) else ("rank", "0"), int(found[2])
        if found[3] is not None:
            return (("left", found[3]) if self.is_queue else ("rank", "0")), 0
        return ("rank", found[4]), 0

    @property
    def _anchor(self) -> From:
        return "above" if self.direction == "desc" else "below"

    def cursor(self, behind: int, total: int, score: float | None, ties: int) -> str | None:
        """The cursor of the place behind `behind` entries, the last of them with this score, of which `ties` passed."""
        if behind >= total:
            return None
        if self.is_set and score is not None:
            return f"s{score!r}:{ties}"
        return f"l{total - behind}" if self.is_queue and self.direction == "desc" else f"r{behind}"


def ask_found(
    where: Sequence[str], direction: Direction, query: Query, *, redact: Redact, cursor: str = "", limit: int = 25
) -> Plan[Found]:
    """Jobs that fit, up to `limit`, from a cursor of an earlier search on. One that cannot be read begins anew."""
    way, limit = Way(tuple(where), direction), max(1, min(limit, MOST_HITS))
    begin, skip = way.begin(cursor)
    budget = BUDGET if query.texts else BUDGET_UNSIFTED
    most = STEP if not query.texts else 2 * limit
    looks: list[Look] = yield from ask_all(
        [
            web.look(where, direction, begin=begin, skip=skip + done, count=STEP, most=most, texts=query.texts)
            for done in range(0, budget, STEP)
        ]
    )
    return _collect(looks, way, query, redact, limit)


def _collect(looks: Sequence[Look], way: Way, query: Query, redact: Redact, limit: int) -> Found:
    found = Found(total=looks[0].total, wrong_keys=looks[0].wrong_keys)
    for look in connected(looks):
        for seen in look.entries:
            visible = visible_of(seen, redact)
            if not query.matches(visible):
                continue
            found.hits.append(Hit(seen, visible))
            if len(found.hits) == limit:
                behind = seen.passed + seen.rank + 1
                found.searched = behind - looks[0].begin
                found.cursor = way.cursor(behind, look.total, seen.score, seen.ties + 1)
                return found
        found.searched += look.looked_at
        behind = look.begin + look.looked_at
        found.cursor = way.cursor(behind, look.total, look.last_score, look.last_ties) if look.looked_at else None
    return found


def connected(looks: Sequence[Look], step: int = STEP) -> Iterator[Look]:
    """The looks, each of `step` entries, as far as each begins where the one before has ended."""
    for look in looks:
        yield look
        if look.looked_at < step:
            return


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False
