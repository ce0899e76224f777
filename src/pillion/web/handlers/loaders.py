"""What each page and each read of the JSON API shows: from the parameters of a route to a view model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from pillion.web.ask import Ask, Load
from pillion.web.data.models import (
    AuditPage,
    BulkPage,
    BusyPage,
    ClassMetricsPage,
    DashboardPage,
    GroupTable,
    JobPage,
    MetricsPage,
    QueuePage,
    QueuesPage,
    SearchPage,
    SetName,
    SetPage,
    UndoPage,
    Verdict,
)
from pillion.web.errors import Refusal
from pillion.web.json_api import sidekiq
from pillion.web.roles import may

SETS: Final[tuple[SetName, ...]] = ("scheduled", "retries", "dead")


def set_name(ask: Ask) -> SetName:
    """The job set of the path. Raises Refusal for another name."""
    wanted = ask.names["set"]
    for name in SETS:
        if name == wanted:
            return name
    raise Refusal("not_found", f"There is no job set {wanted!r}. There are: {', '.join(SETS)}.")


def dashboard(ask: Ask) -> DashboardPage:
    """The first screen."""
    return ask.data.dashboard(days=ask["days"], redact=ask.redact)


def busy(ask: Ask) -> BusyPage:
    """Processes and running jobs."""
    return ask.data.busy(q=ask["q"], page=ask["page"], count=ask.rows, only=ask["only"], redact=ask.redact)


def processes(ask: Ask) -> BusyPage:
    """Processes only."""
    return ask.data.busy(q=ask["q"], page=ask["page"], count=ask.rows, only="processes", redact=ask.redact)


def work(ask: Ask) -> BusyPage:
    """Running jobs only."""
    return ask.data.busy(q=ask["q"], page=ask["page"], count=ask.rows, only="jobs", redact=ask.redact)


def queues(ask: Ask) -> QueuesPage:
    """All queues."""
    return ask.data.queues(q=ask["q"], sort=ask["sort"], paused_only=ask["paused"])


def queue(ask: Ask) -> QueuePage:
    """One queue."""
    return ask.data.queue(
        ask["queue"],
        q=ask["q"],
        cursor=ask["cursor"],
        page=ask["page"],
        count=ask.rows,
        order=ask["order"],
        everything=ask["all"],
        redact=ask.redact,
    )


def _set_page(ask: Ask, name: SetName) -> SetPage:
    look = {"scheduled": ask.data.scheduled, "retries": ask.data.retries, "dead": ask.data.dead}[name]
    options = {key: ask.values[key] for key in ("q", "cursor", "page", "view", "window", "order") if key in ask.values}
    options.setdefault("view", "list")
    page: SetPage = look(**options, count=ask.rows, redact=ask.redact)
    return page


def scheduled(ask: Ask) -> SetPage:
    """Jobs planned for later."""
    return _set_page(ask, "scheduled")


def retries(ask: Ask) -> SetPage:
    """Jobs that run again."""
    return _set_page(ask, "retries")


def dead(ask: Ask) -> SetPage:
    """Jobs that failed for good."""
    return _set_page(ask, "dead")


def job(ask: Ask) -> JobPage:
    """One job. What people did to it, and from where, is of the audit log, which is not for everybody."""
    page = ask.data.job(ask["jid"], place=ask["in"], at=ask["at"], everything=ask["all"], redact=ask.redact)
    return page if may(ask.role, "admin") else replace(page, audit=())


def metrics(ask: Ask) -> MetricsPage:
    """All classes."""
    return ask.data.metrics(period=ask["period"], by=ask["measure"], q=ask["q"], sort=ask["sort"])


def metrics_job(ask: Ask) -> ClassMetricsPage:
    """One class."""
    return ask.data.metrics_job(ask["job_class"], period=ask["period"], redact=ask.redact)


def search(ask: Ask) -> SearchPage:
    """Everything that fits."""
    return ask.data.search(ask["q"], cursor=ask["cursor"], count=ask.rows, redact=ask.redact)


def audit(ask: Ask) -> AuditPage:
    """Who did what."""
    return ask.data.audit(cursor=ask["cursor"], count=ask.rows, who=ask["q"])


def bulk(ask: Ask) -> BulkPage:
    """How far an operation is."""
    return ask.data.bulk(ask["bulk_id"])


def removed(ask: Ask) -> UndoPage:
    """What can be put back."""
    return ask.data.undoables()


def health(ask: Ask) -> Verdict:
    """Is it healthy?"""
    return ask.data.health()


def errors(ask: Ask) -> GroupTable:
    """Failures by class and error."""
    return ask.data.errors(set_name(ask), q=ask["q"], window=ask["window"], redact=ask.redact)


PAGES: Final[Mapping[str, Load]] = MappingProxyType(
    {
        "dashboard": dashboard,
        "busy": busy,
        "queues": queues,
        "queue": queue,
        "scheduled": scheduled,
        "retries": retries,
        "dead": dead,
        "job": job,
        "metrics": metrics,
        "metrics_job": metrics_job,
        "search": search,
        "audit": audit,
        "removed": removed,
        "bulk": bulk,
    }
)

# By the name of the route, without `api_`. `openapi` and the exports are no view models.
API: Final[Mapping[str, Load]] = MappingProxyType(
    {
        "health": health,
        "stats": sidekiq.stats,
        "stats_queues": sidekiq.queues,
        "processes": processes,
        "work": work,
        "queues": queues,
        "queue_jobs": queue,
        "scheduled": scheduled,
        "retries": retries,
        "dead": dead,
        "job": job,
        "search": search,
        "errors": errors,
        "metrics": metrics,
        "metrics_job": metrics_job,
        "audit": audit,
        "removed": removed,
        "bulk": bulk,
    }
)


def status_of(page: Any) -> int:
    """The HTTP status of a view model: 404 for what is not there, 503 for a verdict of illness."""
    match page:
        case JobPage(job=None) | QueuePage(exists=False) | BulkPage(report=None):
            return 404
        case Verdict(level="fail"):
            return 503
        case _:
            return 200
