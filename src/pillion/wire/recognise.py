"""Which keys of a Redis belong to Pillion, to Sidekiq or to Sidekiq's usual companions, by their names."""

from __future__ import annotations

import re
from typing import Final

# Names that stand for themselves (wire-format 1 and 12).
_WHOLE: Final = frozenset(
    {
        "queues",
        "schedule",
        "retry",
        "dead",
        "processes",
        "process_cleanup",
        "paused",
        "profiles",
        "dear-leader",
        "stat:processed",
        "stat:failed",
        "batches",
        "batch-died",
        "batch-killed",
        "loops",
        "cron_jobs",
        "schedules",
        "unique:jobs",
    }
)

_SHAPES: Final = (
    r"pl:.+",
    r"queue:.+",
    r"\{(?:queue|pl):.+\}.*",
    r"stat:(?:processed|failed):\d{4}-\d\d-\d\d",
    # Processes, what they run and their signals; profiles have their job's id behind a token.
    r".+:\d+:[0-9a-f]{12}(?::work|:workers|-signals)?",
    r"j\|\d{6,8}(?:\|.*)?",
    r"h\|.+-\d+-\d+:\d+",
    r"\d{8}-marks",
    r"deploylock-.+",
    r"it-[0-9a-zA-Z]+",
    r"[0-9a-zA-Z]+-[0-9a-f]{24}",
    # Written by Sidekiq's commercial editions and by gems that many fleets use.
    r"b-.+",
    r"lmtr-.+",
    r"loops?[-:].+",
    r"unique:.+",
    r"uniquejobs:.+",
    r"cron_jobs?:.+",
    r"sidekiq[-:_].+",
    r"limit_fetch:.+",
    r"working:queue:.+",
    r"throttled:.+",
)
_SHAPE: Final = re.compile("|".join(f"(?:{shape})" for shape in _SHAPES), re.DOTALL)


def is_ours(key: str) -> bool:
    """Whether a key's name is one that job systems on this wire use."""
    return key in _WHOLE or _SHAPE.fullmatch(key) is not None
