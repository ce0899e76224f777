"""Pages of the dashboard as values: a lively fleet, an empty one, and the same with hostile texts in every field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from web_sample_pages import (
    RUN,
    audit,
    busy,
    confirm,
    dashboard,
    dead,
    empty_dashboard,
    empty_metrics,
    empty_set,
    gone_job,
    metrics,
    metrics_job,
    one_job,
    queue,
    queue_search,
    queues,
    removed,
    retries,
    running_job,
    scheduled,
    search,
    unknown_queue,
)
from web_sample_pieces import EMPTY_SUMMARY, NOW_S, SUMMARY, frame

from pillion.web.data import models as m
from pillion.web.errors import ErrorPage
from pillion.web.request_scope import Flash, RequestScope, TabLink
from pillion.web.routes import ROUTES

ROUTES_BY_NAME = {route.name: route for route in ROUTES}


def scope(page: str = "dashboard", **changes: Any) -> RequestScope:
    """What a request knows besides its page."""
    given: dict[str, Any] = {
        "who": "ana",
        "role": "admin",
        "root": "/jobs",
        "path": ROUTES_BY_NAME[page].path if page in ROUTES_BY_NAME else "/",
        "query": (),
        "routes": ROUTES_BY_NAME,
        "active": page,
        "locale": "en",
        "theme": "auto",
        "compact": False,
        "read_only": False,
        "title": "pillion",
        "environment": "prod",
        "version": "0.1.0",
        "redis_label": "redis.internal:6379/0",
        "counts": SUMMARY,
        "assets": {name: name for name in ("style.css", "app.js", "zone.js", "icon.svg")},
    }
    return RequestScope(**{**given, **changes})


# -- views ---

# Name of the view to (name of the template, what makes its page).
VIEWS: Mapping[str, tuple[str, Callable[[], Any]]] = {
    "dashboard": ("dashboard", dashboard),
    "dashboard_healthy": ("dashboard", lambda: dataclasses.replace(dashboard(), verdict=m.Verdict("ok"), errors=())),
    "dashboard_empty": ("dashboard", empty_dashboard),
    "busy": ("busy", busy),
    "busy_empty": ("busy", lambda: m.BusyPage(frame(EMPTY_SUMMARY), (), m.Pager(), (), m.Pager())),
    "queues": ("queues", queues),
    "queues_empty": ("queues", lambda: m.QueuesPage(frame(EMPTY_SUMMARY), (), 0)),
    "queues_no_hits": ("queues", lambda: m.QueuesPage(frame(), (), 4, query="xyz")),
    "queue": ("queue", queue),
    "queue_search": ("queue", queue_search),
    "queue_empty": (
        "queue",
        lambda: m.QueuePage(frame(), m.QueueRow("default", 0, 0.0, workers=1, slots=5), (), m.Pager()),
    ),
    "queue_unknown": ("queue", unknown_queue),
    "scheduled": ("scheduled", scheduled),
    "scheduled_empty": ("scheduled", lambda: empty_set("scheduled")),
    "retries": ("retries", retries),
    "retries_list": ("retries", lambda: retries("list")),
    "retries_search": ("retries", lambda: dataclasses.replace(retries("list"), search=queue_search().search)),
    "retries_empty": ("retries", lambda: empty_set("retries")),
    "dead": ("dead", dead),
    "dead_groups": ("dead", lambda: dead("groups")),
    "dead_empty": ("dead", lambda: empty_set("dead")),
    "job": ("job", one_job),
    "job_running": ("job", running_job),
    "job_gone": ("job", gone_job),
    "metrics": ("metrics", metrics),
    "metrics_empty": ("metrics", empty_metrics),
    "metrics_job": ("metrics_job", metrics_job),
    "metrics_job_none": ("metrics_job", lambda: dataclasses.replace(metrics_job(), exists=False)),
    "search": ("search", search),
    "search_empty": ("search", lambda: m.SearchPage(frame(), m.SearchReport(""))),
    "search_no_hits": ("search", lambda: m.SearchPage(frame(), m.SearchReport("zzz", (("text", "zzz"),), 900, 900))),
    "audit": ("audit", audit),
    "audit_empty": ("audit", lambda: m.AuditPage(frame(), (), 0)),
    "removed": ("removed", removed),
    "removed_empty": ("removed", lambda: m.UndoPage(frame(), ())),
    "bulk": ("bulk", lambda: m.BulkPage(frame(), "b1", RUN)),
    "bulk_stalled": (
        "bulk",
        lambda: m.BulkPage(
            frame(), "b1", dataclasses.replace(RUN, state="stalled", error="gone", undo_id="u1", undo_until=NOW_S + 60)
        ),
    ),
    "bulk_gone": ("bulk", lambda: m.BulkPage(frame(), "b1", None)),
    "confirm": ("confirm", confirm),
    "confirm_typed": ("confirm", lambda: confirm("bulk_delete", 21_400)),
    "confirm_process": ("confirm", lambda: confirm("process_stop", 1)),
    "error_forbidden": (
        "error",
        lambda: ErrorPage(403, "forbidden", "This needs the role admin; yours is viewer.", "error.forbidden.title"),
    ),
    "error_not_found": ("error", lambda: ErrorPage(404, "not_found", "", "error.not_found.title")),
    "error_unavailable": (
        "error",
        lambda: ErrorPage(
            503, "unavailable", "Redis at redis.internal:6379/0: ConnectionError", "error.unavailable.title"
        ),
    ),
}

# -- hostile ---------------------------------------------------------------------------------------------------

# Fields that hold one of a few words of ours, never a text from Redis or from an address.
OURS = {
    "Vital": {"name"},
    "Cure": {"route", "method"},
    "Reason": {"code"},
    "Moment": {"code"},
    "QueuePage": {"order"},
    "SetPage": {"order"},
    "QueuesPage": {"sort"},
    "BusyPage": {"only"},
    "MetricsPage": {"period", "measure"},
    "ClassMetricsPage": {"period"},
    "SearchSection": {"place"},
    "Confirm": {"action", "action_url", "back"},
    "ErrorPage": {"title_key"},
    "UndoRow": {"kind"},
}


SET_NAMES = ("scheduled", "retries", "dead")


def poisoned(value: Any, text: str) -> Any:
    """The same value with `text` in every field that holds a text from outside."""
    if isinstance(value, str):
        return value if value in SET_NAMES else text
    if isinstance(value, tuple):
        return tuple(poisoned(one, text) for one in value)
    if isinstance(value, dict):
        return {key: poisoned(one, text) for key, one in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    ours = OURS.get(type(value).__name__, set())
    hints = get_type_hints(type(value))
    changes = {}
    for field in dataclasses.fields(value):
        one = getattr(value, field.name)
        if isinstance(one, str) and hints[field.name] not in (str, "str", str | None):
            continue  # a Literal
        if field.name not in ours and field.name not in ("periods", "measures"):
            changes[field.name] = poisoned(one, text)
    return dataclasses.replace(value, **changes)


def poisoned_scope(page: str, text: str) -> RequestScope:
    """A scope whose names and parameters are `text`."""
    return scope(
        page,
        who=text,
        title=text,
        environment=text,
        version=text,
        redis_label=text,
        query=(("q", text), (text, text)),
        flash=Flash("ok", text, text),
        tabs=(TabLink(text, text, "/jobs/x", text),),
    )
