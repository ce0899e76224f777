"""What buttons do to a few: ticked jobs, a queue, a process. Each says what came of it; nothing here asks again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from pillion.api import bulk as api
from pillion.api import undo as api_undo
from pillion.api.plan import Plan, ask, ask_all
from pillion.api.processes import ProcessSet
from pillion.api.record import JobData
from pillion.api.undo import DEFAULT_UNDO_S, NothingToUndo, Undo, new_bin
from pillion.errors import ConfigError
from pillion.storage.ops import inspect, pause, queues, web
from pillion.storage.ops import undo as undo_ops
from pillion.storage.ops.base import Op
from pillion.storage.ops.sets import Scored
from pillion.web.data.bulk import checked_action
from pillion.web.data.keys import RowKey, read_key
from pillion.web.data.models import Outcome, SetName
from pillion.web.data.overview import SETS, Overview
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.wire import keys as wire_keys

MOST_KEYS: Final = 500
_MOST_JIDS: Final = 20
_NAMES: Final = {"TSTP": "quiet", "TERM": "stop", "TTIN": "dump"}


# -- ticked jobs of a set ----------------------------------------------------------------------------------


def act_on_set(source: Source, set_name: SetName, action: str, keys: Iterable[str], by_s: float = 0.0) -> Plan[Outcome]:
    """Retry, kill, delete or move ticked jobs: those that are still there. Raises ConfigError for another action."""
    if action != "move":
        checked_action(set_name, action)
    wanted = read_keys(keys)
    chosen = yield from ask_chosen(set_name, wanted)
    result = api.Result(matched=len(wanted), gone=len(wanted) - len(chosen))
    if chosen:
        yield from _action(source, set_name, action, by_s).carry_out(chosen, result)
    source.cache.clear()
    return outcome(action, set_name, result, _jids(one.member for one in chosen))


def ask_chosen(set_name: SetName, wanted: Sequence[RowKey]) -> Plan[list[Scored]]:
    """The entries that keys stand for, without those that are gone."""
    if not wanted:
        return []
    found = yield from ask(web.pick(SETS[set_name], [(key.score, key.rank, key.digest) for key in wanted]))
    return [Scored(one[1], one[0]) for one in found if one is not None]


def _action(source: Source, set_name: SetName, action: str, by_s: float) -> api.Action:
    fleet, key = source.fleet, SETS[set_name]
    if action == "delete":
        return api.ToBin(new_bin(fleet, "set", key, DEFAULT_UNDO_S))
    if action == "kill":
        return api.ToDead(fleet, key, notify=False)
    if action == "move":
        return api.ToTime(fleet, key, by_s=by_s)
    return api.ToQueue(fleet, key, decrement=set_name != "scheduled")


def read_keys(keys: Iterable[str]) -> list[RowKey]:
    """Keys of a form, each once, up to 500; what is none is left out."""
    found = (read_key(text) for text in dict.fromkeys(keys))
    return [key for key in found if key is not None][:MOST_KEYS]


# -- queues ------------------------------------------------------------------------------------------------


def delete_listed(source: Source, name: str, keys: Iterable[str]) -> Plan[Outcome]:
    """Delete ticked jobs of a queue, with undo."""
    wanted = [key for key in read_keys(keys) if key.score is None]
    size, found = yield from ask_listed(name, wanted)
    bin_ = new_bin(source.fleet, "queue", name, DEFAULT_UNDO_S)
    near, far = ([payload for key, payload in found if (2 * key.rank < size) == is_near] for is_near in (True, False))
    takes: list[Op[Any]] = [web.take_listed(bin_, near, near_tail=True)] if near else []
    takes += [web.take_listed(bin_, far, near_tail=False)] if far else []
    moved = sum((yield from ask_all(takes)))
    source.cache.clear()
    done = api_undo.removed(bin_, moved)
    result = api.Result(len(wanted), moved, len(wanted) - moved, undo_id=done.undo_id, expires_at=done.expires_at)
    return outcome("delete", name, result, _jids(payload for _, payload in found))


def ask_listed(name: str, wanted: Sequence[RowKey]) -> Plan[tuple[int, list[tuple[RowKey, bytes]]]]:
    """The size of a queue, and the payloads that keys stand for, without those that are gone."""
    if not wanted:
        return 0, []
    asked = [(None, key.rank, key.digest) for key in wanted]
    size, found = yield from ask_all([queues.size(name), web.pick(wire_keys.queue(name), asked)])
    return size, [(key, one[0]) for key, one in zip(wanted, found, strict=True) if one is not None]


def set_paused(source: Source, names: Sequence[str], *, is_paused: bool) -> Plan[Outcome]:
    """Pause queues, or end their pause. Nothing is done to those that are so already."""
    ops = [pause.pause(name) if is_paused else pause.unpause(name) for name in names[:MOST_KEYS]]
    moved = sum((yield from ask_all(ops)))
    source.cache.clear()
    result = api.Result(len(ops), moved)
    return outcome("pause" if is_paused else "resume", _names(names), result)


def clear(source: Source, names: Sequence[str]) -> Plan[Outcome]:
    """Remove all jobs of queues, with undo. Of several queues each has an undo of its own, on the page of those."""
    bins = [new_bin(source.fleet, "queue", name, DEFAULT_UNDO_S) for name in names[:MOST_KEYS]]
    counts: list[int] = yield from ask_all([undo_ops.take_all(bin_) for bin_ in bins])
    source.cache.clear()
    count, done = sum(counts), [api_undo.removed(bin_, taken) for bin_, taken in zip(bins, counts, strict=True)]
    with_undo = [one for one in done if one.undo_id]
    result = api.Result(count, count)
    if len(with_undo) == 1:
        result.undo_id, result.expires_at = with_undo[0].undo_id, with_undo[0].expires_at
    return outcome("clear", _names(names), result)


# -- processes ---------------------------------------------------------------------------------------------


def tell(source: Source, identity: str, signal: str) -> Plan[Outcome]:
    """Tell a process to be quiet, to stop, or to write its stacks to its log."""
    process = yield from ProcessSet(fleet=source.fleet).get.plan(identity)
    result = api.Result(matched=1)
    if process is None:
        result.gone = 1
    else:
        call = {"TSTP": process.quiet, "TERM": process.stop, "TTIN": process.dump}[signal]
        try:
            yield from call.plan()
            result.moved = 1
        except ConfigError as refusal:
            result.refuse(str(refusal))
    source.cache.clear()
    return outcome(_NAMES[signal], identity, result)


def tell_all(source: Source, signal: str) -> Plan[Outcome]:
    """Tell it all processes that obey signals."""
    overview: Overview = yield from source.overview()
    told = [process for process in overview.processes if process.can_signal]
    yield from ask_all([op for process in told for op in inspect.signal(process.identity, signal)])
    result = api.Result(len(overview.processes), len(told))
    for _ in range(len(overview.processes) - len(told)):
        result.refuse("It is a part of another program and obeys no signals.")
    source.cache.clear()
    return outcome(_NAMES[signal], "", result)


# -- undo --------------------------------------------------------------------------------------------------


def restore(source: Source, undo_id: str) -> Plan[Outcome]:
    """Put back what was removed."""
    result = api.Result(matched=1)
    try:
        result.moved = yield from Undo(undo_id, fleet=source.fleet).restore.plan()
    except (NothingToUndo, ConfigError):
        result.gone = 1
    source.cache.clear()
    return outcome("undo", undo_id, result)


# -- what came of it ---------------------------------------------------------------------------------------


def outcome(action: str, target: str, result: api.Result, jids: tuple[str, ...] = ()) -> Outcome:
    """A result, as it is told."""
    if result.moved:
        code = "partly" if result.gone or result.refused else "done"
    else:
        code = "refused" if result.refused else "nothing"
    return Outcome(
        code=code,
        action=action,
        target=short(target),
        moved=result.moved,
        gone=result.gone,
        refused=result.refused,
        undo_id=result.undo_id or "",
        undo_until=result.expires_at,
        reasons=tuple(short(why, 300) for why in result.reasons),
        jids=jids,
    )


def _jids(payloads: Iterable[bytes]) -> tuple[str, ...]:
    """Which jobs were meant, for the audit log: the first of them."""
    return tuple(short(JobData(payload).jid, 60) for payload in islice(payloads, _MOST_JIDS))


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
