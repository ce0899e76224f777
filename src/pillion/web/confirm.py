"""Confirming: what is shown before something that removes or ends something, and what must come back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pillion.web.data.models import BulkPreview, JobRow
from pillion.web.routes import BACK, CONFIRMED, CUTOFF, EXPECTED, WORD, Route

TYPED_ABOVE: Final = 100
Error = Literal["", "word", "changed"]

_OURS: Final = frozenset(param.name for param in (CONFIRMED, WORD, EXPECTED, CUTOFF, BACK))


@dataclass(slots=True, frozen=True, kw_only=True)
class Confirm:
    """What `pages/confirm.html` shows. Nothing has been changed yet.

    `action` is the name of the route, `summary` its English for one that the locales do not know, `target` what it
    is done to. `count` jobs (or processes) are meant, "about" so
    many if not `is_exact`; `samples` are some of them. `must_type` is the word to be typed, "" if none.
    `cutoff_at`: jobs that come later are left alone (epoch s). `undo_s`: how long it can be undone, 0 if not at
    all. `fields` go into the form again, hidden; it is sent to `action_url`, and comes back to `back`. `error`: the
    word was not the one, or the count has changed since it was shown.
    """

    action: str
    summary: str = ""
    target: str
    count: int
    is_exact: bool
    samples: tuple[JobRow, ...]
    must_type: str
    cutoff_at: float | None
    undo_s: float
    fields: tuple[tuple[str, str], ...]
    action_url: str
    back: str
    words: tuple[tuple[str, str], ...] = ()
    error: Error = ""


@dataclass(slots=True, frozen=True, kw_only=True)
class Preview:
    """What would be done: the facts of a Confirm that only Redis knows. `cutoff_at` None: no cutoff is needed."""

    target: str
    count: int
    is_exact: bool = True
    samples: tuple[JobRow, ...] = ()
    cutoff_at: float | None = None
    undo_s: float = 0.0
    words: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, found: BulkPreview, *, target: str, undo_s: float) -> Preview:
        """From what a search found."""
        return cls(
            target=target,
            count=found.count,
            is_exact=found.is_exact,
            samples=found.samples,
            cutoff_at=found.cutoff_at,
            undo_s=undo_s,
            words=found.words,
        )


def word_of(route: Route) -> str:
    """The word to be typed for a route: `delete`, `kill`, `clear`, `stop`."""
    return route.path.rpartition("/")[2].rpartition(":")[2].removesuffix("-all")


def must_type(route: Route, count: int) -> str:
    """The word to be typed for so many, "" for none: what brings jobs on, such as a retry, needs none."""
    return word_of(route) if count > TYPED_ABOVE and route.role == "admin" else ""


def is_typed(route: Route, values: Mapping[str, Any]) -> bool:
    """Whether the word was typed, if one was asked for by the count that was shown."""
    shown = values[EXPECTED.name]
    wanted = must_type(route, TYPED_ABOVE + 1 if shown is None else shown)
    return not wanted or str(values[WORD.name]).strip().lower() == wanted


def is_far(shown: int, count: int) -> bool:
    """Whether so many are another thing than what was shown: more than ten, and a tenth, apart."""
    return abs(count - shown) > max(10, shown / 10)


def asked(
    route: Route, preview: Preview, given: Mapping[str, Sequence[str]], *, action_url: str, back: str, error: Error = ""
) -> Confirm:
    """The page of a preview. `given` are the fields of the form as they came."""
    again = tuple((name, value) for name, values in given.items() if name not in _OURS for value in values)
    numbers = [(EXPECTED.name, str(preview.count))]
    if preview.cutoff_at is not None:
        numbers.append((CUTOFF.name, repr(preview.cutoff_at)))
    return Confirm(
        action=route.name,
        summary=route.summary,
        target=preview.target,
        count=preview.count,
        is_exact=preview.is_exact,
        samples=preview.samples,
        must_type=must_type(route, preview.count),
        cutoff_at=preview.cutoff_at,
        undo_s=preview.undo_s,
        fields=(*again, *numbers, (CONFIRMED.name, "1"), (BACK.name, back)),
        action_url=action_url,
        back=back,
        words=preview.words,
        error=error,
    )
