"""How many jobs a filter means, and a few of them: what is shown before something is done to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pillion.api.plan import Plan, ask_all
from pillion.storage.ops import web
from pillion.storage.ops.web import Look
from pillion.web.data.finding import STEP, Hit, connected, visible_of
from pillion.web.data.models import JobRow, SetName
from pillion.web.data.overview import SETS
from pillion.web.data.query import Query
from pillion.web.data.redaction import Redact

_BUDGET: Final = 20_000
_BUDGET_UNSIFTED: Final = 10_000
SAMPLES: Final = 3


@dataclass(slots=True, frozen=True)
class Counted:
    """`count` jobs match, or about so many if not all `total` of the set were `looked_at`."""

    count: int
    looked_at: int
    total: int
    samples: tuple[JobRow, ...]

    @property
    def is_exact(self) -> bool:
        """Whether all were looked at."""
        return self.looked_at >= self.total


def ask_count(set_name: SetName, query: Query, redact: Redact) -> Plan[Counted]:
    """Count those that fit; in a large set among some, and the rest by proportion. One round trip."""
    budget = _BUDGET if query.texts else _BUDGET_UNSIFTED
    looks: list[Look] = yield from ask_all(
        [
            web.look([SETS[set_name]], "asc", skip=done, count=STEP, most=STEP, texts=query.texts, whole_bytes=16_384)
            for done in range(0, budget, STEP)
        ]
    )
    return _counted(list(connected(looks)), query, redact)


def _counted(looks: Sequence[Look], query: Query, redact: Redact) -> Counted:
    found, samples = 0, list[JobRow]()
    for look in looks:
        for seen in look.entries:
            visible = visible_of(seen, redact)
            if query.matches(visible):
                found += 1
                if len(samples) < SAMPLES:
                    samples.append(Hit(seen, visible).row("asc"))
    looked_at, total = sum(look.looked_at for look in looks), looks[0].total
    count = found if looked_at >= total or not looked_at else round(found * total / looked_at)
    return Counted(count, looked_at, total, tuple(samples))
