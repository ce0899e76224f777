"""The rules about jobs that fail. Facts in, reasons out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pillion.web.data.groups import RawGroup, deploy_before, group_query
from pillion.web.data.models import Cure, Fact, Health, Mark, Reason, SetName
from pillion.web.data.pulse import ClassPulse
from pillion.web.data.texts import short
from pillion.web.data.verdict_facts import MOST_ALIKE, Facts, do, see
from pillion.web.data.words import counted, duration, percent

LEAST_RUNS: Final = 5
FAILING_SHARE: Final = 0.1
BAD_SHARE: Final = 0.25
# Fewer jobs of one error are every day's business of retries.
LEAST_JOBS: Final = 20
BAD_JOBS: Final = 100
RECENT_S: Final = 15 * 60
# A deploy so long before the first failure may have to do with it.
AFTER_DEPLOY_S: Final = 2 * 3600
_DAY_S: Final = 86_400


def failing(facts: Facts) -> Iterator[Reason]:
    """Classes that fail much more than they did, and errors of which there are suddenly many."""
    groups: list[tuple[SetName, RawGroup]] = [
        (raw.set_name, group) for raw in facts.groups for group in raw.groups if _is_burst(group, facts.now_s)
    ]
    told: set[str] = set()
    worst = sorted(facts.pulse.classes, key=lambda one: -one.failed)
    for one in [one for one in worst if _is_failing(one)][:MOST_ALIKE]:
        told.add(one.name)
        yield _failing_class(facts, one, _group_of(facts, one.name))
    bursts = [pair for pair in groups if _class_of(pair[1]) not in told]
    for set_name, group in sorted(bursts, key=lambda pair: -pair[1].count)[:MOST_ALIKE]:
        yield _burst(facts, set_name, group)


def _is_failing(one: ClassPulse) -> bool:
    before = one.share_before or 0.0
    return one.runs >= LEAST_RUNS and one.share >= FAILING_SHARE and one.share >= 2 * before


def _is_burst(group: RawGroup, now_s: float) -> bool:
    is_recent = group.last_at is not None and now_s - group.last_at <= RECENT_S
    is_new = group.first_at is not None and now_s - group.first_at <= _DAY_S
    return group.count >= LEAST_JOBS and is_recent and is_new


def _class_of(group: RawGroup) -> str:
    return group.label


def _group_of(facts: Facts, name: str) -> tuple[SetName, RawGroup] | None:
    """The largest group of a class, in the retry set if it has one there."""
    found: list[tuple[SetName, RawGroup]] = [
        (raw.set_name, group)
        for raw in facts.groups
        for group in raw.groups
        if _class_of(group) == name and group.error_class
    ]
    return min(found, key=lambda pair: (pair[0] != "retries", -pair[1].count), default=None)


def _failing_class(facts: Facts, one: ClassPulse, found: tuple[SetName, RawGroup] | None) -> Reason:
    before = one.share_before
    name = short(one.name)
    text = f"{name} fails {percent(one.share)}"
    text += f" ({percent(before)} in the hour before)" if before is not None else ""
    values: dict[str, Fact] = {
        "label": name,
        "failed_share": one.share,
        "before_share": before,
        "failed": one.failed,
        "runs": one.runs,
    }
    cures: tuple[Cure, ...] = ()
    since = None
    if found is not None:
        set_name, group = found
        words, more = _of_group(facts, group)
        text += f", {words}"
        values |= more
        cures, since = _cures(set_name, group), group.first_at
    cures = (*cures, see("see_class", "See its metrics", "metrics_job", job_class=one.name))
    level: Health = "fail" if one.share >= BAD_SHARE else "warn"
    return Reason(level, "failing_class", f"{text}.", values, since=since, cures=cures, advice=_advice(values))


def _burst(facts: Facts, set_name: SetName, group: RawGroup) -> Reason:
    words, values = _of_group(facts, group)
    text = f"{short(group.label)}: {words}."
    level: Health = "fail" if group.count >= BAD_JOBS else "warn"
    cures = _cures(set_name, group)
    values = {"label": short(group.label), **values}
    return Reason(level, "errors_burst", text, values, since=group.first_at, cures=cures, advice=_advice(values))


def _of_group(facts: Facts, group: RawGroup) -> tuple[str, dict[str, Fact]]:
    """A group in words, and its facts."""
    error = short(group.error_class) or "an error"
    text = f"{counted(group.count, 'job')} with {error}"
    deploy = deploy_before(group.first_at, facts.marks)
    values: dict[str, Fact] = {"error": error, "jobs": group.count, "first_at": group.first_at}
    if group.first_at is not None:
        text += f", the first {duration(facts.now_s - group.first_at)} ago"
    after_s = _after(group.first_at, deploy)
    if deploy is not None and after_s is not None:
        text += f", {duration(after_s)} after deploy {deploy.label}"
        values |= {"deploy": deploy.label, "after_deploy_s": after_s}
    return text, values


def _after(first_at: float | None, deploy: Mark | None) -> float | None:
    if first_at is None or deploy is None or first_at - deploy.at > AFTER_DEPLOY_S:
        return None
    return first_at - deploy.at


def _cures(set_name: SetName, group: RawGroup) -> tuple[Cure, ...]:
    query = group_query(group)
    page = "dead" if set_name == "dead" else "retries"
    return (
        see("see_group", "See these jobs", page, view="list", q=query),
        do("retry_group", "Retry them", "bulk_retry", set=set_name, fields={"q": query}),
    )


def _advice(values: dict[str, Fact]) -> tuple[str, ...]:
    after = ("It began after a deploy: take that back first, then retry the jobs.",) if values.get("deploy") else ()
    return (
        *after,
        "Nothing is lost: each job is tried again for about 20 days. Mend the cause, then retry them together.",
        "If what they call is down, pause their queue until it is back.",
    )


def unreadable(facts: Facts) -> Iterator[Reason]:
    """Entries that are no jobs."""
    for raw in facts.groups:
        if raw.unreadable:
            text = f"{counted(raw.unreadable, 'entry')} of {raw.set_name} cannot be read as a job.".replace(
                "entrys", "entries"
            )
            page = "dead" if raw.set_name == "dead" else "retries"
            cures = (see("see_set", "See the list", page, view="list"),)
            yield Reason("warn", "unreadable", text, {"count": raw.unreadable, "set": raw.set_name}, cures=cures)


def dead_full(facts: Facts) -> Iterator[Reason]:
    """The dead set drops the oldest soon."""
    dead = facts.overview.summary.dead
    if dead < 0.95 * facts.dead_max_jobs:
        return
    text = f"{counted(dead, 'job')} dead; with {facts.dead_max_jobs:,} the oldest are dropped for good."
    cures = (see("see_dead", "See the dead", "dead", view="groups"),)
    advice = ("Retry or delete what is there; dead_max_jobs in the settings of the workers is the limit.",)
    yield Reason("warn", "dead_full", text, {"dead": dead, "limit": facts.dead_max_jobs}, cures=cures, advice=advice)


JOB_RULES = (failing, dead_full, unreadable)
