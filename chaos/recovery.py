"""How long a job that was cut off waited until it ran again, by what had cut it off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from chaos import diary as causes
from chaos.diary import Diary
from chaos.excuses import Excuses
from chaos.ledger import Books, Key

SHOWN = (causes.WORKER_KILLED, causes.POISONED, causes.FAMILY_KILLED, causes.HOST_LOST, causes.LEASE_LOST)


def waits(books: Books, diary: Diary) -> dict[str, list[float]]:
    """Seconds from a death (or from falling asleep) to the next start, for each run cut off by it, by cause."""
    excuses = Excuses(diary, books)
    starts: dict[Key, list[float]] = defaultdict(list)
    for turn in books.turns:
        starts[turn.key].append(turn.started_at)
    found: dict[str, list[float]] = {why: [] for why in SHOWN}
    for turn in books.turns:
        fate = excuses.of(turn)
        if fate is None or fate.why not in found or turn.how in ("end", "fail") or turn.started_at > fate.until:
            continue
        later = [at for at in starts[turn.key] if at > fate.until]
        if later:
            found[fate.why].append(min(later) - fate.at)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie, or the nearest above."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
