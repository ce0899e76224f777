"""Error groups: jobs of a set that failed alike, the largest group first.

Of a large set the 10,000 are looked at that died last, or that are tried next: in the retry set the score is the
next try, and what fails now is tried again soon. Only the keys that matter are read from each payload, which takes
a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from pillion.api.display import ACTIVE_JOB_WRAPPERS
from pillion.api.plan import Plan, ask_all
from pillion.api.record import JobData
from pillion.storage.ops import web
from pillion.storage.ops.web import Direction, Look, Run, Seen
from pillion.web.data.finding import connected, job_of
from pillion.web.data.fingerprints import LOOKED_AT_CHARS, fingerprint, pattern_of
from pillion.web.data.keys import RowKey
from pillion.web.data.models import ErrorGroup, GroupTable, Mark, SetName
from pillion.web.data.overview import SETS
from pillion.web.data.query import Query, quoted
from pillion.web.data.redaction import Redact
from pillion.web.data.texts import HIDDEN_TEXT, short, shown
from pillion.web.data.traces import innermost
from pillion.web.data.visible import Visible
from pillion.wire.timestamps import to_seconds

LOOKED_AT: Final = 10_000
# Where groups are beside the point of a page.
FEW: Final = 2_000
MOST_GROUPS: Final = 30  # with more, the page is larger than 100 KB
HOURS: Final = 24
_STEP: Final = 500
# Larger payloads travel as their ends: ten thousand of them must not be a hundred megabytes.
_WHOLE_BYTES: Final = 8192
_BACK_BYTES: Final = 1_500_000
_SAMPLES: Final = 3
_QUEUES: Final = 10
_SIZES: Final[dict[str, Any]] = {"whole_bytes": _WHOLE_BYTES, "back_bytes": _BACK_BYTES}


class _Failed(msgspec.Struct):
    """The keys of a payload that a group needs. Of any type: nobody promises one."""

    job_class: Any = msgspec.field(default=None, name="class")
    wrapped: Any = None
    display_class: Any = None
    queue: Any = None
    jid: Any = None
    error_class: Any = None
    error_message: Any = None
    failed_at: Any = None
    retried_at: Any = None
    retry_count: Any = None


_DIGITS: Final = dict.fromkeys(map(ord, "123456789"), "0")
_decode: Final = msgspec.json.Decoder(_Failed).decode


@dataclass(slots=True)
class RawGroup:
    """A group before anything is hidden. `last` is the job that failed last."""

    label: str
    error_class: str
    pattern: str
    count: int = 0
    tries_low: int | None = None
    tries_high: int | None = None
    first_at: float | None = None
    last_at: float | None = None
    last: tuple[Run, int] | None = None
    history: list[int] = field(default_factory=lambda: [0] * HOURS)
    samples: list[tuple[str, Seen]] = field(default_factory=list[tuple[str, Seen]])
    queues: list[object] = field(default_factory=list[object])

    @property
    def fingerprint(self) -> str:
        """What it is addressed by."""
        return fingerprint(self.label, self.error_class, self.pattern)


@dataclass(slots=True, frozen=True)
class RawGroups:
    """All groups of a look, the largest first; `unreadable` entries are no jobs."""

    set_name: SetName
    groups: tuple[RawGroup, ...]
    looked_at: int
    total: int
    unreadable: int
    history_from: float
    wrong_keys: tuple[str, ...] = ()


def direction_of(set_name: SetName) -> Direction:
    """Which jobs of a set are looked at first: those that died last, those that are tried or due next."""
    return "desc" if set_name == "dead" else "asc"


def ask_groups(
    set_name: SetName, query: Query, *, redact: Redact, now_s: float, most: int = LOOKED_AT
) -> Plan[RawGroups]:
    """The groups of the jobs that fit, of up to `most` that are looked at; in one round trip."""
    where, direction = [SETS[set_name]], direction_of(set_name)
    looks: list[Look] = yield from ask_all(
        [
            web.look(where, direction, skip=done, count=_STEP, most=_STEP, texts=query.texts, **_SIZES)
            for done in range(0, most, _STEP)
        ]
    )
    found = list(connected(looks, _STEP))
    runs = [run for look in found for run in look.runs]
    grouping = _Grouping(now_s // 3600 * 3600 - (HOURS - 1) * 3600)
    grouping.add_all(runs, query, redact)
    ranked = sorted(grouping.groups.values(), key=lambda group: (-group.count, group.label, group.error_class))
    looked_at = sum(look.looked_at for look in found)
    unreadable, wrong = grouping.unreadable, found[0].wrong_keys
    return RawGroups(set_name, tuple(ranked), looked_at, found[0].total, unreadable, grouping.history_from, wrong)


# -- grouping --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Grouping:
    """Groups as they grow. The loop is bare: ten thousand entries go through it for one page."""

    history_from: float
    groups: dict[tuple[str, str, str], RawGroup] = field(default_factory=dict[tuple[str, str, str], RawGroup])
    unreadable: int = 0
    # Messages of which only the digits differ have one pattern, and to see that takes a tenth of the time.
    _alike: dict[tuple[str, str, str], RawGroup] = field(default_factory=dict[tuple[str, str, str], RawGroup])

    def add_all(self, runs: Iterable[Run], query: Query, redact: Redact) -> None:
        """Put each entry that fits into its group."""
        for run in runs:
            for index, payload in enumerate(run.payloads):
                if not query.is_empty and not query.matches(Visible(job_of(run.seen(index)), redact)):
                    continue
                failed = _read(run, index, payload)
                if failed is None:
                    self.unreadable += 1
                else:
                    self._add(self._group(run, index, failed), run, index, failed)

    def _group(self, run: Run, index: int, failed: _Failed) -> RawGroup:
        label, error_class = _label(run, index, failed), _text(failed.error_class)
        message = _text(failed.error_message)[:LOOKED_AT_CHARS].translate(_DIGITS)
        group = self._alike.get((label, error_class, message))
        if group is None:
            key = (label, error_class, pattern_of(message))
            group = self.groups.setdefault(key, RawGroup(*key))
            self._alike[label, error_class, message] = group
        return group

    def _add(self, group: RawGroup, run: Run, index: int, failed: _Failed) -> None:
        group.count += 1
        if len(group.queues) < _QUEUES and failed.queue not in group.queues:
            group.queues.append(failed.queue)
        if len(group.samples) < _SAMPLES:
            group.samples.append((_text(failed.jid), run.seen(index)))
        first = to_seconds(failed.failed_at)
        last = first if failed.retried_at is None else to_seconds(failed.retried_at)
        if first is not None and (group.first_at is None or first < group.first_at):
            group.first_at = first
        if group.last is None or (last is not None and last > (group.last_at or 0.0)):
            group.last, group.last_at = (run, index), last
        if last is not None and 0 <= (hours := (last - self.history_from) / 3600) < HOURS:
            group.history[int(hours)] += 1
        tries = failed.retry_count
        if type(tries) is int:
            low, high = group.tries_low, group.tries_high
            group.tries_low = tries + 1 if low is None or tries < low else low
            group.tries_high = tries + 1 if high is None or tries >= high else high


def _read(run: Run, index: int, payload: Any) -> _Failed | None:
    """What matters of an entry; None if it is no job."""
    if type(payload) is bytes:
        try:
            return _decode(payload)
        except (msgspec.DecodeError, RecursionError):
            pass  # perhaps in a way that other readers forgive
    job = job_of(run.seen(index))
    if not job.item:
        return None
    names = {"job_class": "class"}
    return _Failed(**{name: job[names.get(name, name)] for name in _Failed.__struct_fields__})


def _label(run: Run, index: int, failed: _Failed) -> str:
    """The class as a person names it, as `display.shown_class` has it; the whole payload is read for few only."""
    name = _text(failed.job_class)
    if name in ACTIVE_JOB_WRAPPERS:
        return job_of(run.seen(index)).display_class
    return _text(failed.display_class) or _text(failed.wrapped) or name


def _text(value: object) -> str:
    return value if type(value) is str else ""


# -- as it is shown --------------------------------------------------------------------------------------


def table(raw: RawGroups, redact: Redact, marks: Sequence[Mark], *, most: int = MOST_GROUPS) -> GroupTable:
    """The groups as their viewer may see them. `marks` are the deploys that are known, oldest first."""
    groups = tuple(_shown_group(group, raw, redact, marks) for group in raw.groups[:most])
    return GroupTable(
        raw.set_name,
        groups,
        looked_at=raw.looked_at,
        total=raw.total,
        unreadable=raw.unreadable,
        more_groups=max(0, len(raw.groups) - most),
        history_from=raw.history_from,
    )


def _shown_group(group: RawGroup, raw: RawGroups, redact: Redact, marks: Sequence[Mark]) -> ErrorGroup:
    visible = Visible(JobData(b"") if group.last is None else job_of(group.last[0].seen(group.last[1])), redact)
    message = HIDDEN_TEXT if visible.message is None else shown(visible.message)
    # The words of a message stand in its pattern: whoever may not see the one may not see the other.
    is_open = visible.message is not None and visible.message == (visible.job.error_message or "")
    samples = group.samples[:_SAMPLES]
    return ErrorGroup(
        fingerprint=group.fingerprint,
        label=short(group.label),
        error_class=short(group.error_class),
        pattern=short(group.pattern, 300) if is_open else "",
        message=message,
        count=group.count,
        query=group_query(group),
        tries_low=group.tries_low,
        tries_high=group.tries_high,
        first_at=group.first_at,
        last_at=group.last_at,
        history=tuple(group.history),
        where=innermost(visible),
        deploy=deploy_before(group.first_at, marks),
        samples=tuple(short(jid) for jid, _ in samples),
        sample_keys=tuple(row_key(one, raw.set_name) for _, one in samples),
        queues=tuple(short(name) for name in group.queues if isinstance(name, str) and name),
    )


def row_key(seen: Seen, set_name: SetName) -> str:
    """The address of an entry in a form."""
    rank = seen.rank if direction_of(set_name) == "asc" else seen.size - 1 - seen.rank
    return str(RowKey(seen.score, seen.digest, rank))


def group_query(group: RawGroup) -> str:
    """The filter that says exactly this group; the first parts let Redis leave out what is something else."""
    parts = [quoted("class", group.label)] if group.label else []
    parts += [quoted("error", group.error_class)] if group.error_class else []
    return " ".join((*parts, f"group:{group.fingerprint}"))


def deploy_before(at_s: float | None, marks: Sequence[Mark]) -> Mark | None:
    """The last deploy before a moment, if it was within a day."""
    if at_s is None:
        return None
    before = [mark for mark in marks if at_s - 86_400 <= mark.at <= at_s]
    return before[-1] if before else None


def only_since(raw: RawGroups, since_s: float) -> RawGroups:
    """Without the groups of which nothing failed since."""
    kept = tuple(group for group in raw.groups if group.last_at is not None and group.last_at >= since_s)
    return replace(raw, groups=kept)
