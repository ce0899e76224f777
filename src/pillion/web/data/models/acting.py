"""Doing something to jobs: what is asked before, how far it is, what came of it, how to put it back."""

from __future__ import annotations

from dataclasses import dataclass

from pillion.web.data.models.jobs import JobRow
from pillion.web.data.models.pieces import BulkState, Frame, SetName


@dataclass(slots=True, frozen=True)
class BulkPreview:
    """What a confirm shows before something is done to many. `set_name` None: it is about a queue.

    `count` jobs match, "about" if not `is_exact` (the search was cut, and extrapolated). `samples`: up to three.
    `cutoff_at`: jobs that fail or arrive after it are left alone; None: all that is there by then is meant.
    `expected_count` goes into the form, as does
    `cutoff_at`. `must_type`: the word to be typed, "" if none (destructive, and more than 100).
    """

    set_name: SetName | None
    action: str
    query: str
    count: int
    is_exact: bool
    cutoff_at: float | None
    samples: tuple[JobRow, ...] = ()
    searched: int = 0
    total: int = 0
    must_type: str = ""
    words: tuple[tuple[str, str], ...] = ()

    @property
    def expected_count(self) -> int:
        """What the form carries: the operation is refused if the count is far from it by then."""
        return self.count


@dataclass(slots=True, frozen=True)
class BulkReport:
    """An operation on many jobs, as it stands in Redis.

    `state` "stalled": whoever carried it out has not been heard of for some time; looking at it goes on with it.
    `looked_at` of about `total` jobs were examined, `moved` it was done to; `gone` were no longer there, `refused`
    left as they are, for `reasons`. `undo_id` puts back what was removed, until `undo_until` (epoch s).
    """

    bulk_id: str
    set_name: SetName
    action: str
    query: str
    state: BulkState
    actor: str
    started_at: float
    updated_at: float
    cutoff_at: float
    total: int = 0
    looked_at: int = 0
    moved: int = 0
    gone: int = 0
    refused: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    undo_id: str = ""
    undo_until: float | None = None
    error: str = ""

    @property
    def done_share(self) -> float:
        """How far it is."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.looked_at / self.total) if self.total else 0.0


@dataclass(slots=True, frozen=True)
class BulkPage:
    """One operation. `report` None: no such operation, or it is older than a day."""

    frame: Frame
    bulk_id: str
    report: BulkReport | None


@dataclass(slots=True, frozen=True)
class UndoRow:
    """A removal that can be put back until `expires_at` (epoch s). `kind` is "queue" or "set"."""

    undo_id: str
    kind: str
    name: str
    count: int
    removed_at: float
    expires_at: float


@dataclass(slots=True, frozen=True)
class UndoPage:
    """What can be put back, newest first."""

    frame: Frame
    rows: tuple[UndoRow, ...]


@dataclass(slots=True, frozen=True)
class Outcome:
    """What an action did, for the message after it. `code` is "done", "nothing", "partly" or "refused".

    `action` as it was asked for; `moved` jobs or things it was done to, `gone` no longer there, `refused` left
    alone. `undo_id` if it can be put back, until `undo_until` (epoch s). `reasons` in English. `jids` are the jobs
    that were ticked and still there, up to 20 of them.
    """

    code: str
    action: str
    target: str = ""
    moved: int = 0
    gone: int = 0
    refused: int = 0
    undo_id: str = ""
    undo_until: float | None = None
    reasons: tuple[str, ...] = ()
    jids: tuple[str, ...] = ()
