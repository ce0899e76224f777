"""The table of the outbox, in whatever database the application has.

Create it with `outbox.metadata.create_all(engine)`, or let Alembic do it: `target_metadata = [Base.metadata,
outbox.metadata]`.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String, Table, Text, func
from sqlalchemy.orm import registry

metadata: Final = MetaData()

# `payload` is the job as `Client.prepare` makes it; NULL for an intent, whose job is in Redis already.
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

    def __init__(self, jid: str, payload: str | None) -> None:
        self.jid: Any = jid
        self.payload: Any = payload


registry(metadata=metadata).map_imperatively(Entry, table)
