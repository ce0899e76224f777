"""One job: where it is, what happened to it, what it failed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.plan import Plan, ask, ask_all, together
from pillion.errors import RedisError
from pillion.storage.ops import audit, iteration
from pillion.storage.ops.base import Op, tolerant
from pillion.web.data.audit_page import read_entry
from pillion.web.data.fleet_pages import iteration_facts
from pillion.web.data.groups import FEW, RawGroup, RawGroups, group_query
from pillion.web.data.job_details import args_of, extras_of, raw_of
from pillion.web.data.job_sight import NO_JID, JobAsk, Sight, Spotted, ask_sight
from pillion.web.data.models import AuditRow, JobPage, SearchReport
from pillion.web.data.overview import Overview
from pillion.web.data.pulse import Pulse
from pillion.web.data.query import read_query
from pillion.web.data.redaction import Redact, show_all
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.web.data.timeline import timeline
from pillion.web.data.traces import backtrace
from pillion.web.data.visible import Visible

_AUDIT: Final = 100


def job_page(source: Source, asked: JobAsk, redact: Redact) -> Plan[JobPage]:
    """Everything about one job, in one round trip; in two, if it is found nowhere at first."""
    overview, pulse, state, log, groups, sight = yield from together(
        [
            source.overview(),
            source.pulse(),
            _ask_state(asked),
            _ask_log(asked),
            _ask_groups(source, asked),
            ask_sight(asked),
        ]
    )
    found = sight.spotted(asked, redact)
    if not found and asked.jid != NO_JID:
        sight = yield from ask_sight(asked)
        found = sight.spotted(asked, redact)
    if not found:
        return _nowhere(asked, overview, sight, log)
    page = _Found(source, asked, overview, pulse, found)
    return page.draw(state, log, groups)


# -- asking ----------------------------------------------------------------------------------------------


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
    return tuple(row for row in rows if asked.jid in row.target or asked.jid in row.words or asked.jid in row.jids)


def _ask_groups(source: Source, asked: JobAsk) -> Plan[RawGroups | None]:
    """The groups of its set: how many fail alike."""
    if asked.set_name not in ("retries", "dead"):
        return None
    return (yield from source.groups(asked.set_name, read_query(""), show_all, FEW))


def _nowhere(asked: JobAsk, overview: Overview, sight: Sight, log: tuple[AuditRow, ...]) -> JobPage:
    report = SearchReport(asked.jid, (("jid", short(asked.jid)),), sight.searched, sight.total)
    return JobPage(overview.frame(), short(asked.jid), search=report, audit=log)


# -- drawing ---------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class _Found:
    """A job that was found, in one place or more."""

    source: Source
    asked: JobAsk
    overview: Overview
    pulse: Pulse
    spotted: Sequence[Spotted]

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
