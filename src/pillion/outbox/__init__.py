"""The outbox: jobs that are written into the database, in the transaction they belong to (F020).

    from pillion import outbox

    with Session(engine) as session, session.begin():
        session.add(order)
        session.flush()
        order.jid = outbox.enqueue(session, CompleteOrder, [order.id])

`pillion outbox DATABASE_URL` moves what was committed into Redis. Nothing can be lost between the two: a job is either
in the database or in Redis. See docs/guides/outbox.md. It needs SQLAlchemy.
"""

from pillion.outbox.enqueueing import enqueue
from pillion.outbox.intents import require_intents
from pillion.outbox.relay import Relay
from pillion.outbox.table import Entry, metadata, table

__all__ = ["Entry", "Relay", "enqueue", "metadata", "require_intents", "table"]
