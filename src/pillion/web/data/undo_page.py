"""What was removed and can be put back."""

from __future__ import annotations

from typing import Any

from pillion.api.plan import Plan, ask, together
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.web.data.models import UndoPage, UndoRow
from pillion.web.data.overview import refused
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.wire import keys

_MOST: int = 100


def undoables(source: Source) -> Plan[UndoPage]:
    """Removals, the newest first, up to 100."""
    now_s = source.now_s
    found: Any
    overview, found = yield from together([source.overview(), ask(tolerant(web.bins(now_s, _MOST)))])
    if isinstance(found, RedisError):
        return UndoPage(overview.frame([refused(keys.TRASH, found)]), ())
    rows = (
        UndoRow(undo_id, note.kind, short(note.name), count, note.at_s, until) for undo_id, until, note, count in found
    )
    return UndoPage(overview.frame(), tuple(sorted(rows, key=lambda row: -row.removed_at)))
