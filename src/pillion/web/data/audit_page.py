"""The audit log: who did what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pillion.api.plan import Plan, ask_all, together
from pillion.errors import RedisError
from pillion.storage.ops import audit as ops
from pillion.storage.ops.base import Op, tolerant
from pillion.web.data.models import AuditPage, AuditRow
from pillion.web.data.overview import refused
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.wire import keys

MOST_ROWS: Final = 500
# So many entries are read to find those of one person.
_SEARCHED: Final = 2_000
_MOST_JIDS: Final = 20
_ID: Final = re.compile(r"(\d{1,15})-\d{1,10}")


def audit(source: Source, cursor: str, count: int, who: str) -> Plan[AuditPage]:
    """Entries, newest first, from a cursor on; those in which `who` occurs as actor, action, target or jid."""
    count, text = max(1, min(count, MOST_ROWS)), who.strip()
    behind = cursor if _ID.fullmatch(cursor) else ""
    overview, (found, total) = yield from together([source.overview(), _ask(behind, _SEARCHED if text else count + 1)])
    if isinstance(found, RedisError):
        return AuditPage(overview.frame([refused(keys.AUDIT, found)]), (), 0, query=text)
    rows = [read_entry(entry_id, fields) for entry_id, fields in found]
    fitting = [row for row in rows if text in row.actor or text in row.action or text in row.target or text in row.jids]
    return AuditPage(overview.frame(), tuple(fitting[:count]), total, _next(rows, fitting, count, text), text)


def _ask(behind: str, count: int) -> Plan[tuple[Any, int]]:
    asked: list[Op[Any]] = [tolerant(ops.newest(behind, count)), tolerant(ops.size())]
    found, total = yield from ask_all(asked)
    return found, 0 if isinstance(total, RedisError) else total


def _next(rows: list[AuditRow], fitting: list[AuditRow], count: int, text: str) -> str | None:
    if len(fitting) > count:
        return fitting[count - 1].entry_id
    return rows[-1].entry_id if text and len(rows) == _SEARCHED else None


def read_entry(entry_id: str, fields: Mapping[str, str]) -> AuditRow:
    """An entry of the stream; any field may be missing."""
    when = _ID.fullmatch(entry_id)
    count = fields.get("count", "")
    return AuditRow(
        entry_id=entry_id,
        at=int(when[1]) / 1000 if when else 0.0,
        actor=short(fields.get("who", "")),
        role=short(fields.get("role", ""), 40),
        action=short(fields.get("action", ""), 80),
        target=short(fields.get("target", "")),
        words=short(fields.get("filter", ""), 500),
        count=int(count) if count.isascii() and count.isdecimal() and len(count) < 16 else None,
        result=short(fields.get("result", "")),
        address=short(fields.get("address", ""), 80),
        undo_id=short(fields.get("undo_id", ""), 40),
        jids=tuple(short(jid, 60) for jid in fields.get("jids", "").split(",") if jid)[:_MOST_JIDS],
    )
