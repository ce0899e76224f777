"""What was removed and can be put back."""

from __future__ import annotations

from typing import Any

from pillion.api.plan import Plan, ask, together
from pillion.storage.ops import web
from pillion.web.data.models import UndoPage, UndoRow
from pillion.web.data.source import Source
from pillion.web.data.texts import short

_MOST: int = 100


def undoables(source: Source) -> Plan[UndoPage]:
    """Removals, the newest first, up to 100."""
    now_s = source.now_s
    found: list[Any]
    overview, found = yield from together([source.overview(), ask(web.bins(now_s, _MOST))])
    rows = (
        UndoRow(undo_id, note.kind, short(note.name), count, note.at_s, until) for undo_id, until, note, count in found
    )
    return UndoPage(overview.frame(), tuple(sorted(rows, key=lambda row: -row.removed_at)))
