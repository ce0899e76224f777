"""Orphans: jobs in the hands of a process that is not in the list of owners.

Design record. The reaper looks only at listed owners, which is cheap. A process that was struck off
while it was stopped, woke up, fetched, and died before its next heartbeat entered it again would leave
jobs that nobody looks for; so would a list that was deleted by hand. Once an hour somebody in the
cluster therefore searches the whole keyspace, and enters owners that are missing. It gives nothing
back itself: the reaper then treats them as any owner, lease and all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from pillion.server.owner import OwnerRecord
from pillion.storage.ops import reap as ops
from pillion.storage.sync import Storage

SEARCH_EVERY_S = 3600

# Queue names cannot hold a brace, so this finds the end of the name whatever else is in it.
_HELD_KEY = re.compile(r"\{queue:([^{}]+)\}:(?:inflight|wait):(.+)", re.DOTALL)


def parse_held_key(key: bytes) -> tuple[str, str] | None:
    """The (queue, identity) of an in-flight hash or a private wait list; None for any other key."""
    match = _HELD_KEY.fullmatch(key.decode(errors="replace"))
    return (match[1], match[2]) if match else None


def missing_records(held: Mapping[str, set[str]], owners: Mapping[str, bytes]) -> dict[str, bytes]:
    """The owner records to write: `held` (identity to queues) as far as `owners` does not tell of it."""
    missing: dict[str, bytes] = {}
    for identity, queues in held.items():
        known = OwnerRecord.parse(owners[identity]) if identity in owners else OwnerRecord(())
        if not queues <= set(known.queues):
            missing[identity] = replace(known, queues=tuple(sorted({*known.queues, *queues}))).dump()
    return missing


def enter_orphans(storage: Storage, identity: str, stopping: Callable[[], bool]) -> int:
    """Search for jobs without a listed owner, if nobody has within the hour. How many owners were entered.

    Parameters: `identity` is who searches; `stopping` ends the search early. Raises RedisError.
    """
    if not storage.run(ops.claim_search(identity, SEARCH_EVERY_S)):
        return 0
    held: dict[str, set[str]] = {}
    cursor = -1
    while cursor != 0 and not stopping():
        cursor, keys = storage.run(ops.search(max(cursor, 0)))
        for key in keys:
            if (found := parse_held_key(key)) is not None:
                queue, owner = found
                held.setdefault(owner, set()).add(queue)
    owners = storage.run(ops.owners())
    missing = missing_records(held, owners)
    storage.run_all([ops.enter(owner, record) for owner, record in missing.items()])
    return len(missing)
