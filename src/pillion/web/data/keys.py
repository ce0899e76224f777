"""The address of a row in a form: what finds the same job again after the page was drawn. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(r"(-?[0-9.e+inf-]{0,40})\|([0-9a-f]{16})\|([0-9]{1,15})")


@dataclass(slots=True, frozen=True)
class RowKey:
    """`score` in a set, None in a queue; `rank` when it was shown, from the earliest or from what runs next."""

    score: float | None
    digest: str
    rank: int

    def __str__(self) -> str:
        return f"{'' if self.score is None else repr(self.score)}|{self.digest}|{max(0, self.rank)}"


def read_key(text: str) -> RowKey | None:
    """The key in a form; None for what is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    try:
        score = float(found[1]) if found[1] else None
    except ValueError:
        return None
    return None if score is not None and math.isnan(score) else RowKey(score, found[2], int(found[3]))
