"""The table of the outbox, in whatever database the application has.

Create it with `outbox.metadata.create_all(engine)`, or let Alembic do it: `target_metadata = [Base.metadata,
outbox.metadata]`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String, Table, Text, func
from sqlalchemy.orm import registry

metadata: Final = MetaData()

# `payload` is the job as `Client.prepare` makes it; NULL for an intent, whose job is in Redis already. `created_at` is
# when the row was written; of an intent whose job is to run later, when that is due.
table: Final = Table(
    "pillion_outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("jid", String(64), nullable=False, index=True),
    Column("payload", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


class Entry:
    """One row. A session takes it like any object of the application, so it is written when that is, sync or async."""

    def __init__(self, jid: str, payload: str | None, created_at: datetime | None = None) -> None:
        self.jid: Any = jid
        self.payload: Any = payload
        if created_at is not None:  # else the database says what time it is
            self.created_at: Any = created_at


registry(metadata=metadata).map_imperatively(Entry, table)
