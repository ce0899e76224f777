"""The record of an operation on many jobs, as it is kept in Redis: what is to be done, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pillion.api.plan import Plan, ask
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.storage.ops.inspect import Fields
from pillion.web.data.models import BulkReport, BulkState, SetName
from pillion.web.data.texts import clean, short
from pillion.wire import keys

# Whoever carries out an operation says so with every page, each of which takes less than a second.
STALLED_AFTER_S: Final = 15.0
_RECENT_S: Final = 3600.0
_MOST_RECENT: Final = 5


@dataclass(slots=True, kw_only=True)
class Record:
    """One operation. Times are epoch seconds.

    `since_at`: only jobs that failed at this time or later; `cutoff_at`: only those that were there at this time.
    `is_blind`: whoever began it may not see arguments and messages, so these choose nothing. `undo_id` and `bin_at`
    name the bin that removed jobs go to.
    """

    bulk_id: str
    set_name: SetName
    action: str
    query: str
    actor: str
    started_at: float
    updated_at: float
    cutoff_at: float
    since_at: float | None = None
    state: BulkState = "running"
    total: int = 0
    looked_at: int = 0
    moved: int = 0
    gone: int = 0
    refused: int = 0
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    is_blind: bool = False
    undo_id: str = ""
    bin_at: float = 0.0
    undo_until: float | None = None
    error: str = ""

    def dump(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)

    def report(self, now_s: float) -> BulkReport:
        """As it is shown."""
        is_silent = self.state == "running" and now_s - self.updated_at > STALLED_AFTER_S
        has_bin = bool(self.undo_id and self.moved and self.undo_until is not None and self.undo_until > now_s)
        return BulkReport(
            bulk_id=self.bulk_id,
            set_name=self.set_name,
            action=self.action,
            query=clean(self.query),
            state="stalled" if is_silent else self.state,
            actor=short(self.actor),
            started_at=self.started_at,
            updated_at=self.updated_at,
            cutoff_at=self.cutoff_at,
            total=self.total,
            looked_at=self.looked_at,
            moved=self.moved,
            gone=self.gone,
            refused=self.refused,
            reasons=tuple((short(why, 300), count) for why, count in self.reasons.items()),
            undo_id=self.undo_id if has_bin else "",
            undo_until=self.undo_until if has_bin else None,
            error=short(self.error, 300),
        )


_decode: Final = msgspec.json.Decoder(Record).decode


def load(stored: bytes | None) -> Record | None:
    """A record from Redis; None for what is none, or is of another version."""
    try:
        return None if stored is None else _decode(stored)
    except (msgspec.MsgspecError, RecursionError):
        return None


def ask_record(bulk_id: str) -> Plan[Record | None]:
    """The record of an operation; None if there is none."""
    return load((yield from ask(web.bulk_one(bulk_id))))


def ask_recent(set_name: SetName, now_s: float) -> Plan[tuple[BulkReport, ...]]:
    """The operations on a set that run, or ended within the hour; the newest first."""
    stored: Any = yield from ask(tolerant(web.bulk_all()))
    if isinstance(stored, RedisError):
        return ()
    found = [record.report(now_s) for record in _all(stored) if record.set_name == set_name]
    recent = [one for one in found if one.state in ("running", "stalled") or now_s - one.updated_at < _RECENT_S]
    return tuple(sorted(recent, key=lambda one: -one.started_at)[:_MOST_RECENT])


def _all(stored: Fields) -> list[Record]:
    return [record for record in map(load, stored.values()) if record is not None]


def outdated(stored: Fields, now_s: float) -> list[str]:
    """The ids of records that nobody asks for any more."""
    records = {bulk_id: load(value) for bulk_id, value in stored.items()}
    return [
        bulk_id for bulk_id, record in records.items() if record is None or now_s - record.updated_at > keys.BULK_TTL_S
    ]
