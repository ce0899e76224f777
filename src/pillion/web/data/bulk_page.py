"""How far an operation on many jobs is."""

from __future__ import annotations

from typing import Any

from pillion.api.plan import Plan, ask, together
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.web.data.bulk_record import load
from pillion.web.data.models import BulkPage
from pillion.web.data.overview import refused
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.wire import keys


def bulk_page(source: Source, bulk_id: str) -> Plan[BulkPage]:
    """One operation."""
    stored: Any
    overview, stored = yield from together([source.overview(), ask(tolerant(web.bulk_one(bulk_id)))])
    if isinstance(stored, RedisError):
        return BulkPage(overview.frame([refused(keys.BULKS, stored)]), short(bulk_id), None)
    record = load(stored)
    return BulkPage(overview.frame(), short(bulk_id), None if record is None else record.report(source.now_s))
