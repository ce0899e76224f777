"""Taking processes off the list whose record has expired (wire-format 7.7)."""

from __future__ import annotations

from pillion.storage.ops import process
from pillion.storage.sync import Storage


def prune_processes(storage: Storage) -> int:
    """Remove every listed process without a record; return how many there were.

    Does nothing if somebody in the whole cluster has done so within the last minute.
    """
    if not storage.run(process.claim_cleanup()):
        return 0
    gone: list[bytes] = []
    cursor = -1
    while cursor != 0:
        cursor, identities = storage.run(process.identities(max(cursor, 0)))
        records = storage.run_all([process.info(identity) for identity in identities])
        gone += [identity for identity, info in zip(identities, records, strict=True) if info is None]
    return storage.run(process.strike_off(gone)) if gone else 0
