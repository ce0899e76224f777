"""Operations on many jobs: what a filter chooses is retried, killed or deleted, in the background.

Design record. What is to be done and how far it is stands in Redis, not in the process that does it: any dashboard
shows it, can stop it, and can go on with it if that process dies. Nothing depends on where it was: to go on is to
begin anew with the same filter, and what was done is no longer there. That is also why nothing is done twice: the
cutoff is the time at which a person confirmed what they saw, and a job that failed again since, or came since, is not
meant. Who carries it out holds a lease, so that two do not get in each other's way; each job is moved by a script
that looks whether it is still there.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from typing import Final

from pillion.api import bulk as api
from pillion.api.entry import SortedEntry
from pillion.api.filters import Filter
from pillion.api.plan import Plan, ask, ask_all
from pillion.api.ranking import Walker
from pillion.api.undo import DEFAULT_UNDO_S, new_bin
from pillion.errors import ConfigError, PillionError, RedisError
from pillion.storage.ops import promote, web
from pillion.storage.ops.undo import Bin
from pillion.web.data.bulk_record import STALLED_AFTER_S, Record, ask_record, outdated
from pillion.web.data.counting import Counted, ask_count
from pillion.web.data.models import BulkReport, SetName
from pillion.web.data.overview import SETS
from pillion.web.data.query import Query, after, read_query
from pillion.web.data.redaction import HIDE_ALL, Redact
from pillion.web.data.source import Source
from pillion.web.data.visible import Visible
from pillion.wire import keys

ACTIONS: Final = ("retry", "kill", "delete")
LEASE_S: Final = 15.0
# So far apart may be what was confirmed and what is there now.
_FEW: Final = 10
_SHARE: Final = 0.1


class CountChanged(PillionError):
    """What was confirmed is not what is there: `expected` jobs were shown, and now `found` match."""

    def __init__(self, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"{expected:,} jobs were shown, and now {found:,} match. Look again, then confirm that number."
        )


class NoSuchBulk(PillionError, LookupError):
    """There is no such operation, or it is older than a day."""

    def __init__(self, bulk_id: str) -> None:
        super().__init__(f"No operation {bulk_id[:40]!r}: they are kept for a day. The audit log has what came of it.")


class BulkBusy(PillionError):
    """Whoever asks has an operation that runs: one at a time is enough."""

    def __init__(self, bulk_id: str) -> None:
        self.bulk_id = bulk_id
        super().__init__(f"Your operation {bulk_id} still runs. Wait for it, or stop it, then begin the next one.")


def start(
    source: Source,
    set_name: SetName,
    action: str,
    *,
    q: str,
    window: str,
    cutoff_at: float | None,
    expected_count: int | None,
    actor: str,
    redact: Redact,
) -> Plan[BulkReport]:
    """Note what is to be done; `carry_out` does it.

    Raises CountChanged, BulkBusy and ConfigError; then nothing is noted.
    """
    checked_action(set_name, action)
    now_s = source.now_s
    since_at = after(now_s, window)
    query = filter_of(set_name, q, since_at, now_s if cutoff_at is None else cutoff_at)
    counted = yield from ask_count(set_name, query, redact)
    _compare(counted, expected_count)
    stored = yield from ask(web.bulk_all())
    record = Record(
        bulk_id=secrets.token_hex(8),
        set_name=set_name,
        action=action,
        query=query.text,
        actor=actor,
        started_at=now_s,
        updated_at=now_s,
        cutoff_at=now_s if cutoff_at is None else min(cutoff_at, now_s),
        since_at=since_at,
        total=counted.total,
        is_blind=redact is HIDE_ALL,
    )
    if action == "delete":
        bin_ = new_bin(source.fleet, "set", SETS[set_name], DEFAULT_UNDO_S)
        record = replace(record, undo_id=bin_.undo_id, bin_at=bin_.at_s, undo_until=bin_.at_s + bin_.ttl_s)
    old, alive_from_s = outdated(stored, now_s), now_s - STALLED_AFTER_S
    running = yield from ask(web.bulk_begin(record.bulk_id, record.dump(), actor, alive_from_s, old))
    if running:
        raise BulkBusy(running)
    return record.report(now_s)


def stop(source: Source, bulk_id: str) -> Plan[BulkReport]:
    """Ask for its end. One that nobody carries out is ended at once. Raises NoSuchBulk."""
    record = yield from _record(bulk_id)
    yield from ask(web.bulk_ask_to_stop(bulk_id))
    if record.report(source.now_s).state == "stalled":
        record = replace(record, state="stopped", updated_at=source.now_s)
        yield from ask_all(web.bulk_put(bulk_id, record.dump()))
    return record.report(source.now_s)


def carry_out(source: Source, bulk_id: str) -> Plan[BulkReport]:
    """Do it until all is done, somebody stops it, or somebody else is doing it. Raises NoSuchBulk and RedisError.

    Also to go on with one that stands still, or that was stopped.
    """
    record, token = (yield from _record(bulk_id)), secrets.token_hex(8)
    if record.state == "done" or not (yield from ask(promote.hold_lock(keys.bulk_lease(bulk_id), token, LEASE_S))):
        return record.report(source.now_s)
    try:
        yield from ask(web.bulk_may_go_on(bulk_id))
        yield from _all_pages(source, record, token)
    except RedisError:
        raise
    except Exception as error:
        record.state, record.error = "failed", f"{type(error).__name__}: {error}"
        yield from _save(source, record)
        raise
    finally:
        source.cache.clear()
    yield from ask(promote.release_lock(keys.bulk_lease(bulk_id), token))
    return record.report(source.now_s)


def _all_pages(source: Source, record: Record, token: str) -> Plan[None]:
    """Page after page; the record says after each how far it is."""
    key, result = SETS[record.set_name], api.Result(reasons=Counter(record.reasons))
    result.moved, result.gone = record.moved, record.gone
    work, walker = _work(source, record), Walker(key, "asc")
    record.state = "running"
    while not walker.finished:
        yield from work.step(walker, result)
        _note(record, result)
        must_stop, is_ours = yield from ask_all(
            [web.bulk_must_stop(record.bulk_id), promote.hold_lock(keys.bulk_lease(record.bulk_id), token, LEASE_S)]
        )
        if not is_ours:
            return
        if must_stop and not walker.finished:
            record.state = "stopped"
            break
        yield from _save(source, record)
    if walker.finished:
        record.state = "done"
    yield from _save(source, record)


def _work(source: Source, record: Record) -> api.Bulk:
    fleet, key = source.fleet, SETS[record.set_name]
    query = filter_of(record.set_name, record.query, record.since_at, record.cutoff_at)
    redact = HIDE_ALL if record.is_blind else source.redact  # what was counted, is what is meant

    def is_meant(entry: SortedEntry) -> bool:
        return query.matches(Visible(entry, redact, score=entry.score))

    return api.Bulk(
        set_key=key,
        action=_action(source, record),
        chosen_by=Filter(predicate=is_meant),
        make=lambda scored: SortedEntry(scored.member, scored.score, key, fleet=fleet),
    )


def _action(source: Source, record: Record) -> api.Action:
    fleet, key = source.fleet, SETS[record.set_name]
    if record.action == "delete":
        return api.ToBin(Bin(record.undo_id, "set", key, record.bin_at, DEFAULT_UNDO_S))
    if record.action == "kill":
        return api.ToDead(fleet, key, notify=False)
    return api.ToQueue(fleet, key, decrement=record.set_name != "scheduled")


def _note(record: Record, result: api.Result) -> None:
    record.looked_at, record.moved, record.gone = result.scanned, result.moved, result.gone
    record.refused, record.reasons = result.refused, dict(result.reasons)
    record.total = max(record.total, result.scanned)


def _save(source: Source, record: Record) -> Plan[None]:
    record.updated_at = source.now_s
    yield from ask_all(web.bulk_put(record.bulk_id, record.dump()))


def _record(bulk_id: str) -> Plan[Record]:
    record = yield from ask_record(bulk_id)
    if record is None:
        raise NoSuchBulk(bulk_id)
    return record


# -- what is meant ---------------------------------------------------------------------------------------


def checked_action(set_name: SetName, action: str) -> None:
    """Raises ConfigError for what cannot be done to a set."""
    known = [name for name in ACTIONS if not (set_name == "dead" and name == "kill")]
    if action not in known:
        raise ConfigError("action", f"one of {', '.join(known)}", action)


def filter_of(set_name: SetName, q: str, since_at: float | None, cutoff_at: float) -> Query:
    """The jobs that a filter means, of those that were there at the cutoff."""
    query = read_query(q).also(lambda job: _was_there(job, set_name, cutoff_at))
    return query if since_at is None else query.failed_since(since_at)


def _was_there(job: Visible, set_name: SetName, cutoff_at: float) -> bool:
    """Whether a job was in the set at that time. The score of a retry is its next try, so its payload has to say."""
    data = job.job
    if set_name == "dead":
        came_at = job.score
    elif set_name == "scheduled":
        came_at = data.created_at
    else:
        came_at = data.failed_at if data.retried_at is None else data.retried_at
    return came_at is None or came_at <= cutoff_at


def _compare(counted: Counted, expected: int | None) -> None:
    if expected is not None and abs(counted.count - expected) > max(_FEW, _SHARE * expected):
        raise CountChanged(expected, counted.count)
