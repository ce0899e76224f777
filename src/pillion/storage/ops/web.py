"""What the pages of the dashboard ask for, as ops: much in one command, and none that takes Redis long.

Design record. A page is one round trip. So names that only Redis knows (of processes and queues) and what is
read by them come from one script, and a search goes in steps of some milliseconds each, many in one trip.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from pillion.storage.ops.base import Arg, Op, call, command, raw
from pillion.storage.ops.inspect import PROCESS_FIELDS, Fields
from pillion.storage.ops.undo import Bin, Note, read_note
from pillion.wire import keys

MOST_PROCESSES: Final = 1000
MOST_QUEUES: Final = 1000
# Payloads up to this size travel in whole, of larger ones the ends only.
WHOLE_BYTES: Final = 65_536
ENDS_BYTES: Final = 4096
# What one step of a search may look at, and send back.
_LOOK_BYTES: Final = 4_000_000
_BACK_BYTES: Final = 2_000_000

From = Literal["rank", "above", "below", "left"]
Direction = Literal["asc", "desc"]


# -- a survey --------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class QueueLook:
    """A queue: its size (None: its key is no list), and the payload that runs next, cut if `is_cut`."""

    name: str
    size: int | None
    oldest: bytes
    is_cut: bool


@dataclass(slots=True, frozen=True)
class Survey:
    """Processes (identity and record; empty if it has expired), queues, and what is listed beyond the limits.

    `owners` are the processes that are Pillion's.
    """

    leader: str
    paused: frozenset[str]
    listed: int
    processes: tuple[tuple[str, Fields], ...]
    known_queues: int
    queues: tuple[QueueLook, ...]
    wrong_keys: tuple[str, ...]
    owners: frozenset[str]


def survey() -> Op[Survey]:
    """Processes and queues, up to 1000 of each, in one step."""
    names = (keys.PROCESSES, keys.QUEUES, keys.PAUSED, keys.DEAR_LEADER, keys.OWNERS)
    limits = (MOST_PROCESSES, MOST_QUEUES, WHOLE_BYTES, ENDS_BYTES)
    return call("web_survey", names, (keys.queue(""), *limits, *PROCESS_FIELDS), _survey)


def _survey(reply: Any) -> Survey:
    leader, paused, processes, queues, wrong, owners = reply
    return Survey(
        leader=_text(leader),
        paused=frozenset(map(_text, paused)),
        listed=int(processes[0]),
        processes=tuple((_text(name), _record(values)) for name, values in _groups(processes[1:], 2)),
        known_queues=int(queues[0]),
        queues=tuple(_queue(*four) for four in _groups(queues[1:], 4)),
        wrong_keys=tuple(map(_text, wrong)),
        owners=frozenset(map(_text, owners)),
    )


def _record(values: Sequence[bytes | None]) -> Fields:
    pairs = zip(PROCESS_FIELDS, values, strict=False)
    return {name: value for name, value in pairs if value is not None}


def _queue(name: bytes, size: int, bytes_: int, payload: bytes) -> QueueLook:
    return QueueLook(_text(name), None if size < 0 else int(size), payload, is_cut=len(payload) < bytes_)


# -- looking through sets and queues -----------------------------------------------------------------------


class Seen(NamedTuple):
    """An entry: where it was, and its payload, or its two ends if it is large: `tail` is empty in one that is whole.

    `rank` is counted in its own place, from the earliest or the latest, from what runs next or from the newest on.
    `passed` entries are in the places before that one, which has `size`. `score` is None in a queue; `ties` entries
    with the same score were passed before it.
    """

    key: str
    rank: int
    passed: int
    size: int
    score: float | None
    ties: int
    size_bytes: int
    head: bytes
    tail: bytes

    @property
    def is_whole(self) -> bool:
        """Whether `head` is the whole payload."""
        return not self.tail

    @property
    def digest(self) -> str:
        """What `pick` finds it by."""
        return digest(self.head, self.tail, self.size_bytes)


@dataclass(slots=True, frozen=True)
class Run:
    """Entries that follow each other, as Redis sent them. An entry is made when it is asked for: most never are.

    A payload is bytes, or of a large one a list of its size, its beginning and its end. `scores` are empty in a queue.
    """

    key: str
    rank: int
    passed: int
    size: int
    ties: int
    payloads: Sequence[Any]
    scores: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.payloads)

    def seen(self, index: int) -> Seen:
        """The entry at this place of the run."""
        payload = self.payloads[index]
        size_bytes, head, tail = (len(payload), payload, b"") if isinstance(payload, bytes) else payload
        score = float(self.scores[index]) if self.scores else None
        where = (self.key, self.rank + index, self.passed, self.size)
        return Seen(*where, score, self._ties(index), int(size_bytes), head, tail)

    def _ties(self, index: int) -> int:
        if not self.scores:
            return 0
        same = index
        while same and self.scores[same - 1] == self.scores[index]:
            same -= 1
        return index - same + (self.ties if same == 0 else 0)


@dataclass(slots=True, frozen=True)
class Look:
    """What one step has seen: entries, in `runs`, of `looked_at`, from entry `begin` on, of `total` there are.

    It may have looked at fewer than it was asked to: where enough were found, and where entries are large. Of the
    entries with `last_score`, that of the one looked at last, `last_ties` were passed, it included.
    """

    total: int
    begin: int
    looked_at: int
    wrong_keys: tuple[str, ...]
    last_score: float | None
    last_ties: int
    runs: tuple[Run, ...]

    @property
    def entries(self) -> Iterator[Seen]:
        """The entries, one by one."""
        return (run.seen(index) for run in self.runs for index in range(len(run)))


def look(
    where: Sequence[str],
    direction: Direction,
    *,
    begin: tuple[From, float | int | str] = ("rank", 0),
    skip: int = 0,
    count: int,
    most: int,
    texts: Sequence[Sequence[bytes]] = (),
    whole_bytes: int = WHOLE_BYTES,
    back_bytes: int = _BACK_BYTES,
) -> Op[Look]:
    """Look at up to `count` entries of some keys, and return up to `most` of them in which every one of `texts` occurs.

    `where` are keys of lists and sorted sets, as if they were one; `keys.QUEUES` stands for all queues. Each of
    `texts` is given in all ways it may be written. `begin` and `direction` as in the script.
    """
    ways: list[Arg] = []
    for text in texts:
        ways += [len(text), *text]
    limits = (skip, count, most, _LOOK_BYTES, whole_bytes, back_bytes, ENDS_BYTES)
    return call("web_look", tuple(where), (keys.queue(""), direction, *begin, *limits, *ways), _look)


def _look(reply: Any) -> Look:
    total, begin, looked_at, wrong, score, ties, runs = reply
    last = float(score) if score else None
    return Look(
        int(total), int(begin), int(looked_at), tuple(map(_text, wrong)), last, int(ties), tuple(map(_run, runs))
    )


def _run(reply: Any) -> Run:
    key, rank, passed, size, ties, flat = reply
    name = _text(key)
    is_queue = name.startswith(keys.queue(""))
    payloads, scores = (flat, ()) if is_queue else (flat[::2], flat[1::2])
    return Run(name, int(rank), int(passed), int(size), int(ties), payloads, scores)


def digest(head: bytes, tail: bytes, size_bytes: int) -> str:
    """A short name of a payload, by its ends and its length; `head` may be the whole. Sixteen hexadecimal digits."""
    end = tail or head[-ENDS_BYTES:]
    text = b"%d:" % size_bytes + head[:ENDS_BYTES] + end
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()[:16]


def pick(key: str, wanted: Sequence[tuple[float | None, int, str]]) -> Op[list[tuple[bytes, float] | None]]:
    """Find entries of a set or a queue again, by score (None in a queue), rank (from the earliest, or from what runs
    next) and digest. None for one that is no longer there. In a queue the score of the answer is 0.
    """
    argv: list[Arg] = [ENDS_BYTES]
    for score, rank, name in wanted:
        argv += ["" if score is None else repr(score), rank, name]
    return call("web_pick", (key,), argv, _picked)


def _picked(reply: Any) -> list[tuple[bytes, float] | None]:
    return [None if member is None else (member, float(score or 0)) for member, score in _groups(reply, 2)]


# -- what runs ---------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class RunningEntry:
    """An entry of a work hash, as a process wrote it; if it is large, its beginning and its end.

    `iteration` and `progress` are those of the `jid` that was found in it at a glance.
    """

    identity: str
    thread: str
    size_bytes: int
    head: bytes
    tail: bytes
    jid: str
    iteration: Fields
    progress: bytes


@dataclass(slots=True, frozen=True)
class Works:
    """Running jobs: `entries` of `looked_at`, of `total`."""

    total: int
    looked_at: int
    entries: tuple[RunningEntry, ...]


_PREFIXES: Final = (keys.iteration(""), keys.progress(""), keys.work(""), keys.work_before_6_4_2(""))


def works(*, skip: int, count: int, text: bytes = b"") -> Op[Works]:
    """What runs, by processes: up to `count` jobs after the first `skip`, those in which `text` occurs."""
    argv = (skip, count, WHOLE_BYTES, ENDS_BYTES, text, _BACK_BYTES, *_PREFIXES)
    return call("web_works", (keys.PROCESSES,), argv, _works)


def _works(reply: Any) -> Works:
    total, looked_at, found = reply
    entries = tuple(
        RunningEntry(_text(identity), _text(thread), int(size), head, tail, _text(jid), _fields(iteration), progress)
        for identity, thread, size, head, tail, jid, iteration, progress in _groups(found, 8)
    )
    return Works(int(total), int(looked_at), entries)


# -- counting ----------------------------------------------------------------------------------------------


def count_between(set_key: str, low_s: float, before_s: float) -> Op[int]:
    """How many entries are due from `low_s` on and before `before_s`. O(log N)."""
    return Op(("ZCOUNT", set_key, repr(low_s), f"({before_s!r}"), int)


def first_score(set_key: str) -> Op[float | None]:
    """The earliest time in a set; None if it is empty."""
    return Op(("ZRANGE", set_key, 0, 0, "WITHSCORES"), _first_score)


def _first_score(reply: Any) -> float | None:
    flat = reply[0] if reply and isinstance(reply[0], list) else reply
    return float(flat[1]) if flat else None


# -- taking jobs out of a queue ------------------------------------------------------------------------------


def take_listed(bin_: Bin, payloads: Sequence[bytes], *, near_tail: bool) -> Op[int]:
    """Move jobs of a queue, found by their bytes, into a bin; `near_tail`: sought from what runs next on."""
    argv: tuple[Arg, ...] = (bin_.name, bin_.undo_id, bin_.at_s, bin_.ttl_s, int(near_tail), *payloads)
    return call("trash_listed", (bin_.source, *bin_.own_keys), argv, int)


def bins(now_s: float, most: int) -> Op[list[tuple[str, float, Note, int]]]:
    """What can be put back: undo id, until when, the note, how many jobs. The last to expire comes first."""
    return call("web_bins", (keys.TRASH,), (now_s, most), _bins)


def _bins(reply: Any) -> list[tuple[str, float, Note, int]]:
    read = [(_text(name), float(until), read_note(note), int(size)) for name, until, note, size in _groups(reply, 4)]
    return [(undo_id, until, note, count) for undo_id, until, note, count in read if note is not None]


# -- operations on many jobs ------------------------------------------------------------------------------------


def bulk_all() -> Op[Fields]:
    """The records of the operations of a day, by id."""
    return Op(("HGETALL", keys.BULKS), _fields)


def bulk_one(bulk_id: str) -> Op[bytes | None]:
    """The record of one operation."""
    return Op(("HGET", keys.BULKS, bulk_id), raw)


def bulk_begin(bulk_id: str, record: bytes, actor: str, running_since_s: float, forget: Sequence[str]) -> Op[str]:
    """Note an operation, unless `actor` has one that runs: one whose record is of `running_since_s` or later.

    The id of that one, and nothing is changed; else "". Those of `forget` are forgotten.
    """
    argv: tuple[Arg, ...] = (bulk_id, record, actor, repr(running_since_s), keys.BULK_TTL_S, *forget)
    return call("web_bulk_begin", (keys.BULKS,), argv, _text)


def bulk_put(bulk_id: str, record: bytes) -> list[Op[Any]]:
    """Keep the record of an operation, for a day after the last of them."""
    return [command("HSET", keys.BULKS, bulk_id, record), command("EXPIRE", keys.BULKS, keys.BULK_TTL_S)]


def bulk_ask_to_stop(bulk_id: str) -> Op[Any]:
    """Ask whoever carries out an operation to stop."""
    return command("SET", keys.bulk_stop(bulk_id), "1", "EX", keys.BULK_TTL_S)


def bulk_may_go_on(bulk_id: str) -> Op[Any]:
    """Take that back."""
    return command("UNLINK", keys.bulk_stop(bulk_id))


def bulk_must_stop(bulk_id: str) -> Op[bool]:
    """Whether an operation was asked to stop."""
    return Op(("EXISTS", keys.bulk_stop(bulk_id)), bool)


def _fields(reply: Any) -> Fields:
    # RESP3 answers a map, RESP2 a flat list.
    pairs = reply.items() if isinstance(reply, dict) else _groups(reply, 2)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return {_text(name): value for name, value in pairs}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


# -- reading replies -----------------------------------------------------------------------------------------------


def _groups(flat: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    return zip(*[iter(flat)] * size, strict=True)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")
