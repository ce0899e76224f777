"""One job: where it is, what happened to it, what it failed with.

Whoever comes from a list brings along where it was: a set with its time, a queue with its position. There it is
looked for at once, in whole. Beside that everything is searched for the jid, as far as a search goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.plan import Plan, ask, ask_all, together
from pillion.api.work import Work
from pillion.errors import RedisError
from pillion.storage.ops import audit, iteration, web
from pillion.storage.ops.base import Op, tolerant
from pillion.storage.ops.web import Look, RunningEntry, Works
from pillion.web.data.audit_page import read_entry
from pillion.web.data.finding import STEP, Hit, visible_of
from pillion.web.data.fleet_pages import iteration_facts, running_job, running_place
from pillion.web.data.groups import FEW, RawGroup, RawGroups, group_query
from pillion.web.data.job_details import args_of, extras_of, raw_of
from pillion.web.data.models import AuditRow, JobPage, Place, SearchReport, SetName
from pillion.web.data.overview import SETS, Overview
from pillion.web.data.pulse import Pulse
from pillion.web.data.query import read_query, ways
from pillion.web.data.redaction import Redact, show_all
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.web.data.timeline import timeline
from pillion.web.data.traces import backtrace
from pillion.web.data.visible import Visible
from pillion.wire import keys

NO_JID: Final = "-"
_EVERYWHERE: Final = (keys.RETRY, keys.DEAD, keys.SCHEDULE, keys.QUEUES)
_BUDGET: Final = 18_000
# Around the position that a job of a queue had: others have been taken since.
_NEAR: Final = 600
_SAME_TIME: Final = 1_000
_MOST_RUNNING: Final = 5_000
_WHOLE_BYTES: Final = 1_000_000
_ALL_BYTES: Final = 16_000_000
_AUDIT: Final = 100


@dataclass(slots=True, frozen=True)
class JobAsk:
    """Which job: its jid, and where it was seen: `place` "queue:NAME" or a set, `at` its position or its time there."""

    jid: str
    place: str
    at: float | None
    everything: bool

    @property
    def set_name(self) -> SetName | None:
        """The set it was seen in."""
        return next((name for name in ("scheduled", "retries", "dead") if name == self.place), None)

    @property
    def texts(self) -> tuple[tuple[bytes, ...], ...]:
        """What must occur in its payload."""
        return () if self.jid == NO_JID else (ways(self.jid),)

    def is_it(self, visible: Visible) -> bool:
        """Whether this is the job."""
        return short(visible.job.jid) == ("" if self.jid == NO_JID else self.jid)


@dataclass(slots=True, frozen=True)
class _Spotted:
    """A place where the job was found, and the job as it is there. `entry` if it runs there."""

    visible: Visible
    place: Place
    key: str = ""
    entry: RunningEntry | None = None


def job_page(source: Source, asked: JobAsk, redact: Redact) -> Plan[JobPage]:
    """Everything about one job, in one round trip."""
    overview, pulse, near, looks, works, state, log, groups = yield from together(
        [
            source.overview(),
            source.pulse(),
            _ask_near(asked),
            _ask_everywhere(asked),
            _ask_works(asked),
            _ask_state(asked),
            _ask_log(asked),
            _ask_groups(source, asked),
        ]
    )
    spotted = [*_near(near, asked, redact), *_running(works, asked, redact), *_anywhere(looks, asked, redact)]
    found = _distinct(spotted)
    if not found:
        return _nowhere(asked, overview, looks, log)
    page = _Found(source, asked, overview, pulse, found)
    return page.draw(state, log, groups)


# -- asking ----------------------------------------------------------------------------------------------


def _ask_near(asked: JobAsk) -> Plan[Look | RedisError | None]:
    """Where it was seen."""
    whole = _ALL_BYTES if asked.everything else _WHOLE_BYTES
    sizes: dict[str, Any] = {"most": 3, "texts": asked.texts, "whole_bytes": whole, "back_bytes": 3 * whole}
    if asked.at is None:
        return None
    if asked.set_name is not None:
        begin: tuple[Any, str] = ("below", repr(float(asked.at)))
        op = web.look([SETS[asked.set_name]], "asc", begin=begin, count=_SAME_TIME, **sizes)
    elif asked.place.startswith("queue:") and math.isfinite(asked.at):
        first = max(0, int(asked.at) - 1 - _NEAR)
        name = asked.place.removeprefix("queue:")
        op = web.look([keys.queue(name)], "asc", begin=("rank", first), count=_NEAR + 50, **sizes)
    else:
        return None
    found: Look | RedisError = yield from ask(tolerant(op))
    return found


def _ask_everywhere(asked: JobAsk) -> Plan[list[Look]]:
    if asked.jid == NO_JID:
        return []
    sizes: dict[str, Any] = {"most": 3, "texts": asked.texts, "whole_bytes": _WHOLE_BYTES}
    steps = range(0, _BUDGET, STEP)
    return (
        yield from ask_all([web.look(_EVERYWHERE, "desc", begin=("rank", at), count=STEP, **sizes) for at in steps])
    )


def _ask_works(asked: JobAsk) -> Plan[list[Works | RedisError]]:
    if asked.jid == NO_JID:
        return []
    text = max(asked.texts[0], key=len) if len(asked.texts[0]) == 1 else b""
    steps = range(0, _MOST_RUNNING, STEP)
    return (yield from ask_all([tolerant(web.works(skip=done, count=STEP, text=text)) for done in steps]))


def _ask_state(asked: JobAsk) -> Plan[tuple[Any, float | None]]:
    """What an iterable job noted, and how far a job said that it is."""
    asked_of: list[Op[Any]] = [tolerant(iteration.read(asked.jid)), tolerant(iteration.progress(asked.jid))]
    fields, percent = yield from ask_all(asked_of)
    progress = None if isinstance(percent, RedisError) or not percent else min(1.0, percent / 100)
    return ({} if isinstance(fields, RedisError) else fields), progress


def _ask_log(asked: JobAsk) -> Plan[tuple[AuditRow, ...]]:
    """What people did to it."""
    found: Any = yield from ask(tolerant(audit.newest("", _AUDIT)))
    if isinstance(found, RedisError) or asked.jid == NO_JID:
        return ()
    rows = (read_entry(entry_id, fields) for entry_id, fields in found)
    return tuple(row for row in rows if asked.jid in row.target or asked.jid in row.words)


def _ask_groups(source: Source, asked: JobAsk) -> Plan[RawGroups | None]:
    """The groups of its set: how many fail alike."""
    if asked.set_name not in ("retries", "dead"):
        return None
    return (yield from source.groups(asked.set_name, read_query(""), show_all, FEW))


# -- finding ---------------------------------------------------------------------------------------------


def _near(look: Look | RedisError | None, asked: JobAsk, redact: Redact) -> list[_Spotted]:
    if look is None or isinstance(look, RedisError):
        return []
    found = _spotted_in(look, asked, redact, "asc")
    if asked.set_name is None:
        return found
    exact = [one for one in found if one.place.at == asked.at]
    return exact[:1] if asked.jid == NO_JID else exact or found


def _anywhere(looks: Sequence[Look], asked: JobAsk, redact: Redact) -> list[_Spotted]:
    return [one for look in looks for one in _spotted_in(look, asked, redact, "desc")]


def _spotted_in(look: Look, asked: JobAsk, redact: Redact, direction: Any) -> list[_Spotted]:
    found: list[_Spotted] = []
    for seen in look.entries:
        visible = visible_of(seen, redact, everything=asked.everything)
        if asked.is_it(visible):
            row = Hit(seen, visible).row(direction)
            found.append(_Spotted(visible, row.place, row.key))
    return found


def _running(works: Sequence[Works | RedisError], asked: JobAsk, redact: Redact) -> list[_Spotted]:
    found: list[_Spotted] = []
    for reply in works:
        for entry in () if isinstance(reply, RedisError) else reply.entries:
            visible = Visible(running_job(entry), redact, everything=asked.everything)
            if asked.is_it(visible):
                run_at = Work(entry.identity, entry.thread, entry.tail or entry.head).run_at
                found.append(_Spotted(visible, running_place(entry, run_at), entry=entry))
    return found


def _distinct(spotted: Sequence[_Spotted]) -> list[_Spotted]:
    """Each place once; a search goes over the one where it was seen, too."""
    found: dict[Any, _Spotted] = {}
    for one in spotted:
        digest = one.key.split("|")[1] if one.key else one.place.thread
        found.setdefault((one.place.set_name, one.place.queue, one.place.process, one.place.at, digest), one)
    return list(found.values())


def _nowhere(asked: JobAsk, overview: Overview, looks: Sequence[Look], log: tuple[AuditRow, ...]) -> JobPage:
    searched = sum(look.looked_at for look in looks)
    total = looks[0].total if looks else 0
    report = SearchReport(asked.jid, (("jid", short(asked.jid)),), searched, total)
    return JobPage(overview.frame(), short(asked.jid), search=report, audit=log)


# -- drawing ---------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class _Found:
    """A job that was found, in one place or more."""

    source: Source
    asked: JobAsk
    overview: Overview
    pulse: Pulse
    spotted: Sequence[_Spotted]

    def draw(self, state: tuple[Any, float | None], log: tuple[AuditRow, ...], groups: RawGroups | None) -> JobPage:
        """The page."""
        first, now_s = self.spotted[0], self.source.now_s
        visible, job = first.visible, first.visible.job
        places = tuple(one.place for one in self.spotted)
        group = _group_of(visible, groups)
        fields, progress = state
        return JobPage(
            frame=self.overview.frame(),
            jid=short(job.jid),
            job=visible.row(first.place, first.key),
            places=places,
            args=args_of(visible, everything=self.asked.everything),
            timeline=timeline(job, places, now_s),
            backtrace=backtrace(visible),
            extras=extras_of(visible),
            raw=raw_of(visible, everything=self.asked.everything),
            iteration=iteration_facts(fields, visible),
            progress_share=progress,
            bid=None if job.bid is None else short(job.bid),
            next_at=first.place.at if first.place.state in ("retrying", "scheduled") else None,
            usual_s=self.pulse.usual_s.get(job.display_class),
            same_error=None if group is None else group.count,
            group=None if group is None else group_query(group),
            audit=log,
            shown_all=self.asked.everything,
        )


def _group_of(visible: Visible, groups: RawGroups | None) -> RawGroup | None:
    if groups is None or not visible.fingerprint:
        return None
    return next((group for group in groups.groups if group.fingerprint == visible.fingerprint), None)
