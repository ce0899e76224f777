"""Pages of the dashboard as values: a lively fleet, an empty one, and the same with hostile texts in every field."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pillion.web.confirm import Confirm
from pillion.web.data import models as m
from pillion.web.errors import ErrorPage
from pillion.web.request_scope import Flash, RequestScope, TabLink
from pillion.web.routes import ROUTES

NOW_S = 1_795_312_000.0  # 2026-11-22 about 01:06 UTC
ROUTES_BY_NAME = {route.name: route for route in ROUTES}
EMPTY_SUMMARY = m.Summary()
SUMMARY = m.Summary(1_204_331, 912, 38, 50, 4, 12_480, 1_020, 214, 57, 3, 680.0, 2.0)


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
        "assets": {name: name for name in ("style.css", "app.js", "icon.svg")},
    }
    return RequestScope(**{**given, **changes})


# -- pieces ----------------------------------------------------------------------------------------------


def frame(summary: m.Summary = SUMMARY, problems: tuple[m.Problem, ...] = ()) -> m.Frame:
    return m.Frame(summary, NOW_S, problems, has_ruby=True, has_pillion=True, redis_version="Redis 7.0.15")


def shown(text: str) -> m.Shown:
    return m.Shown(text, len(text))


def wave(count: int, size: float, phase: float = 0.0) -> tuple[float, ...]:
    return tuple(
        round(size * (1 + 0.4 * math.sin(index / 5 + phase) + 0.1 * math.cos(index * 2.3))) for index in range(count)
    )


def times(count: int = 60, width_s: float = 60.0) -> tuple[float, ...]:
    return tuple(NOW_S - width_s * (count - index) for index in range(count))


def chart(*lines: tuple[str, tuple[float | None, ...]], marks: tuple[m.Mark, ...] = ()) -> m.Chart:
    return m.Chart(times(len(lines[0][1])), 60.0, tuple(m.Line(*line) for line in lines), marks)


DEPLOY = m.Mark(NOW_S - 1620, "a1b2c3 mail templates")
TIMEOUT = m.ErrorFacts(
    "Timeout::Error", shown("execution expired after 30 s (pay.example/charge/881)"), "f1", NOW_S - 1600, NOW_S - 40
)
KEY_ERROR = m.ErrorFacts("KeyError", shown("'invoice_id'"), "f2", NOW_S - 86_000, NOW_S - 3000)


def job(number: int, label: str, queue: str, args: str, place: m.Place, **more: Any) -> m.JobRow:
    given: dict[str, Any] = {
        "created_at": NOW_S - 1700 - number,
        "enqueued_at": NOW_S - 1690 - number,
        "size_bytes": 412,
        "max_tries": 25,
    }
    return m.JobRow(
        f"k{number}", f"7f3a0c51d2e94b6a8f10{number:04d}", label, label, queue, shown(args), place, **{**given, **more}
    )


def set_place(set_name: m.SetName, at: float) -> m.Place:
    states: dict[str, m.State] = {"scheduled": "scheduled", "retries": "retrying", "dead": "dead"}
    return m.Place(states[set_name], set_name=set_name, at=at)


def failed_rows(set_name: m.SetName, sign: int) -> tuple[m.JobRow, ...]:
    rows = [
        job(
            n,
            "PaymentJob",
            "critical",
            f'[{880 + n}, "eur", {{"attempt": "first", "shop": "berlin-{n}", "note": "an argument that is cut"}}]',
            set_place(set_name, NOW_S + sign * (40 + 97 * n)),
            error=TIMEOUT,
            tries=1 + n % 4,
            tags=("checkout",) if n % 3 == 0 else (),
        )
        for n in range(8)
    ]
    rows += [
        job(
            n,
            "reports.DailyReport",
            "low",
            f'["2026-11-{n:02d}"]',
            set_place(set_name, NOW_S + sign * 3600 * n),
            error=KEY_ERROR,
            tries=12,
        )
        for n in range(10, 14)
    ]
    broken = m.JobRow(
        "k99", "", "", "", "", shown("{not json"), set_place(set_name, NOW_S + sign * 9), is_readable=False
    )
    return (*rows, broken)


def group(label: str, error: m.ErrorFacts, count: int, history: tuple[int, ...], **more: Any) -> m.ErrorGroup:
    given: dict[str, Any] = {
        "tries_low": 1,
        "tries_high": 4,
        "first_at": NOW_S - 1620,
        "last_at": NOW_S - 12,
        "where": "app/pay.py:81 charge",
        "deploy": DEPLOY,
        "samples": ("7f3a0c51d2e94b6a8f100001", "7f3a0c51d2e94b6a8f100002", "7f3a0c51d2e94b6a8f100003"),
        "sample_keys": ("k1", "k2", "k3"),
        "queues": ("critical",),
    }
    if "query" in {field.name for field in dataclasses.fields(m.ErrorGroup)}:
        given["query"] = f"group:{error.fingerprint}"
    pattern = error.message.text.replace("881", "<n>")
    return m.ErrorGroup(
        fingerprint=error.fingerprint,
        label=label,
        error_class=error.error_class,
        pattern=pattern,
        message=error.message,
        count=count,
        history=history,
        **{**given, **more},
    )


GROUPS = (
    group("PaymentJob", TIMEOUT, 198, (0,) * 21 + (12, 90, 96)),
    group(
        "reports.DailyReport",
        KEY_ERROR,
        12,
        (0, 1) * 10 + (0, 0, 1, 1),
        deploy=None,
        where="app/reports/daily.py:14 perform",
        queues=("low",),
        first_at=NOW_S - 500_000,
    ),
    group(
        "MailJob",
        m.ErrorFacts("smtplib.SMTPServerDisconnected", shown("Connection unexpectedly closed"), "f3"),
        4,
        (0,) * 23 + (4,),
        where="",
        deploy=None,
    ),
)
QUEUES = (
    m.QueueRow(
        "mail",
        12_001,
        680.0,
        is_served=False,
        level="fail",
        change_per_min=400.0,
        sizes=wave(60, 90)[:20] + tuple(100.0 + 200 * n for n in range(40)),
    ),
    m.QueueRow("default", 410, 2.1, workers=4, slots=30, change_per_min=-790.0, drains_in_s=31.0, sizes=wave(60, 400)),
    m.QueueRow("critical", 60, 38.0, workers=2, slots=20, level="warn", change_per_min=3.0, sizes=wave(60, 40, 2)),
    m.QueueRow("low", 9, 10_800.0, is_paused=True, workers=1, slots=20, sizes=(9.0,) * 60),
)


def cure(
    code: str, text: str, route: str, params: dict[str, Any] | None = None, method: Any = "GET", **more: Any
) -> m.Cure:
    return m.Cure(code, text, route, params or {}, method, **more)


VERDICT = m.Verdict(
    "fail",
    (
        m.Reason(
            "fail",
            "queue_unserved",
            "Queue mail: 12,001 jobs wait, the oldest 11m 20s, and no process serves it.",
            {},
            NOW_S - 680,
            (
                cure("see_queue", "See queue", "queue", {"queue": "mail"}),
                cure("pause", "Pause", "queue_pause", {"queue": "mail"}, "POST"),
            ),
            ("Start a worker that serves it.", "Or correct the queue's name where jobs are pushed."),
        ),
        m.Reason(
            "fail",
            "errors_burst",
            "PaymentJob fails with Timeout::Error: 198 jobs, first 27 min ago, 2 min after deploy a1b2c3.",
            {},
            NOW_S - 1620,
            (
                cure("see_group", "See jobs", "retries", {"view": "list", "q": "group:f1"}),
                cure("retry_group", "Retry 198", "bulk_retry", {"set": "retries"}, "POST", fields={"q": "group:f1"}),
            ),
        ),
        m.Reason(
            "warn",
            "redis_memory",
            "Redis uses 91% of its memory, and evicts keys when it is full (allkeys-lru): jobs can be lost.",
            {},
            None,
            (cure("what_to_do", "What to do", "", explain="CONFIG SET maxmemory-policy noeviction"),),
            ("Set maxmemory-policy to noeviction.",),
        ),
    ),
    NOW_S - 1620,
)
REDIS = m.RedisCard(
    "Redis",
    "7.0.15",
    2_764_800,
    61,
    10_000,
    1_950_000_000,
    2_010_000_000,
    2_147_483_648,
    True,
    0.91,
    "allkeys-lru",
    "rdb",
    "master",
    0,
    8_120,
    0.0004,
)


def dashboard() -> m.DashboardPage:
    vitals = (
        m.Vital("throughput", 812.0, chart(("runs", wave(60, 800))), 790.0),
        m.Vital("failures", 96.0, chart(("failed", (0.0,) * 40 + tuple(5.0 * n for n in range(20)))), 2.0),
        m.Vital(
            "oldest_wait", 680.0, chart(("wait", (None,) * 10 + (1.0,) * 20 + tuple(23.0 * n for n in range(30)))), 1.0
        ),
        m.Vital("used_slots", 0.76, chart(("used", tuple(value / 100 for value in wave(60, 60)))), None),
    )
    days = tuple(
        m.DayCount(
            NOW_S - 86_400 * (29 - n) - NOW_S % 86_400,
            int(30_000 + 9000 * math.sin(n)),
            40 * (n % 5) + (3000 if n == 29 else 0),
        )
        for n in range(30)
    )
    legacy = group("LegacyJob", KEY_ERROR, 2, (0,) * 12 + (1, 1) + (0,) * 10)
    errors = (*(("retries", one) for one in GROUPS), ("dead", legacy))
    return m.DashboardPage(
        frame(), VERDICT, vitals, QUEUES, errors, 10_000, 21_400, 30, days, REDIS, m.FirstSteps(True, True, True)
    )


def empty_dashboard() -> m.DashboardPage:
    days = tuple(m.DayCount(NOW_S - 86_400 * n, 0, 0) for n in range(30))
    return m.DashboardPage(
        frame(EMPTY_SUMMARY),
        m.Verdict("ok"),
        (),
        (),
        (),
        0,
        0,
        30,
        days,
        m.RedisCard("Redis", "7.0.15", 60),
        m.FirstSteps(pushed=True),
        is_new=True,
    )


def busy() -> m.BusyPage:
    processes = (
        m.ProcessRow(
            "web1:311:aa",
            "web1",
            311,
            "shop",
            ("api", "v3.1"),
            "8.1.7",
            "sidekiq",
            ("default", "mail"),
            (),
            NOW_S - 260_000,
            NOW_S - 2,
            2.0,
            0.0004,
            410_000_000,
            9,
            10,
            is_leader=True,
        ),
        m.ProcessRow(
            "py2:872:bb",
            "py2",
            872,
            "shop",
            ("gpu",),
            "0.1.0",
            "pillion",
            ("critical", "default", "low", "reports", "thumbnails"),
            (
                m.CapsuleRow("single", 1, "strict", (("low", 1),)),
                m.CapsuleRow("default", 19, "weighted", (("default", 2),)),
            ),
            NOW_S - 14_400,
            NOW_S - 48,
            48.0,
            0.009,
            220_000_000,
            1,
            20,
            is_late=True,
            is_quiet=True,
        ),
        m.ProcessRow(
            "site:1:cc",
            "site",
            1,
            "",
            (),
            "0.0.9",
            "pillion",
            ("default",),
            (),
            NOW_S - 60,
            NOW_S - 4,
            4.0,
            None,
            None,
            1,
            5,
            is_embedded=True,
            is_odd_version=True,
        ),
    )
    running = m.Place("running", process="web1:311:aa", thread="t3", since=NOW_S - 250)
    jobs = (
        m.RunningRow(job(1, "PaymentJob", "default", '[881, "eur"]', running), 250.0, 27.0),
        m.RunningRow(
            job(2, "reports.Reindex", "low", "[]", running),
            4000.0,
            None,
            0.41,
            m.IterationFacts(shown("8200"), 3, 3900.0),
        ),
        m.RunningRow(
            job(3, "MailJob", "mail", '["welcome", 17]', running),
            0.4,
            0.9,
            None,
            m.IterationFacts(shown('{"id": 17}'), 1, 1.0),
        ),
    )
    return m.BusyPage(
        frame(), processes, m.Pager(1, 25, 3), jobs, m.Pager(1, 25, 38), rss_bytes=1_900_000_000, quiet=1, late=1
    )


def queues() -> m.QueuesPage:
    return m.QueuesPage(frame(), QUEUES, 4, hidden=2)


def queue() -> m.QueuePage:
    rows = tuple(
        job(
            n,
            "MailJob" if n % 5 else "DigestJob",
            "mail",
            f'["welcome", {n}]',
            m.Place("enqueued", queue="mail", position=n + 1),
            context=shown('{"tenant": "acme"}') if n % 2 else None,
        )
        for n in range(12)
    )
    return m.QueuePage(
        frame(),
        QUEUES[0],
        rows,
        m.Pager(3, 25, 12_001),
        classes=(m.ClassShare("MailJob", 910, 0.91), m.ClassShare("DigestJob", 90, 0.09)),
        sampled=1000,
    )


def queue_search() -> m.QueuePage:
    report = m.SearchReport(
        "class:MailJob 881",
        (("class", "MailJob"), ("text", "881")),
        20_000,
        1_000_000,
        2,
        "c20000",
        ("“tries” needs a number.",),
    )
    return dataclasses.replace(queue(), rows=queue().rows[:2], search=report)


def unknown_queue() -> m.QueuePage:
    return m.QueuePage(
        frame(), m.QueueRow("mial", 0, 0.0, is_served=False), (), m.Pager(), exists=False, did_you_mean=("mail",)
    )


def scheduled() -> m.SetPage:
    rows = tuple(job(n, "DigestJob", "low", f"[{n}]", set_place("scheduled", NOW_S + 180 * n + 20)) for n in range(9))
    minutes = m.Chart(
        tuple(NOW_S + 60 * n for n in range(60)),
        60.0,
        (m.Line("due", tuple(float(n % 7 == 3) * n for n in range(60))),),
    )
    return m.SetPage(
        frame(),
        "scheduled",
        "list",
        1020,
        rows,
        m.Pager(1, 25, 1020),
        schedule=m.ScheduleFacts(minutes, 31, NOW_S - 40),
    )


RUN = m.BulkReport(
    "b1",
    "retries",
    "retry",
    "group:f1",
    "running",
    "ana",
    NOW_S - 8,
    NOW_S - 1,
    NOW_S - 9,
    198,
    120,
    118,
    1,
    1,
    (("not a job", 1),),
)


def retries(view: m.View = "groups") -> m.SetPage:
    if view == "groups":
        return m.SetPage(
            frame(),
            "retries",
            "groups",
            21_400,
            groups=m.GroupTable("retries", GROUPS, 10_000, 21_400, 2, 3),
            bulk=(RUN,),
        )
    return m.SetPage(frame(), "retries", "list", 214, failed_rows("retries", 1), m.Pager(1, 25, 214))


def dead(view: m.View = "list") -> m.SetPage:
    rule = m.DeadRule(15_552_000.0, 10_000, NOW_S - 14_000_000, NOW_S + 1_036_800)
    if view == "groups":
        return m.SetPage(frame(), "dead", "groups", 57, groups=m.GroupTable("dead", GROUPS[:2], 57, 57), dead_rule=rule)
    return m.SetPage(frame(), "dead", "list", 57, failed_rows("dead", -1), m.Pager(2, 25, 57), dead_rule=rule)


def empty_set(set_name: m.SetName) -> m.SetPage:
    return m.SetPage(frame(EMPTY_SUMMARY), set_name, "list", 0)


def one_job() -> m.JobPage:
    row = job(
        1,
        "PaymentJob",
        "critical",
        '[881, "eur"]',
        set_place("retries", NOW_S + 240),
        error=TIMEOUT,
        tries=3,
        tags=("checkout",),
        context=shown('{"tenant": "acme"}'),
    )
    moments = (
        m.Moment("created", "enqueued", NOW_S - 1700),
        m.Moment("enqueued", "enqueued", NOW_S - 1700 + 0.002, 0.002),
        m.Moment("failed", "retrying", NOW_S - 1600, 98.0, facts={"try": 1, "of": 25}),
        m.Moment("unknown_tries", "retrying", None, None, facts={"count": 1}),
        m.Moment("failed_again", "retrying", NOW_S - 40, None, facts={"try": 3}),
        m.Moment("next_try", "retrying", NOW_S + 240, 280.0, is_future=True, facts={"try": 4}),
    )
    trace = tuple(
        m.TraceLine(text, is_app)
        for text, is_app in (
            ("/usr/lib/python3.11/site-packages/httpx/_client.py:914 send", False),
            ("/srv/app/pay.py:81 charge", True),
            ("/srv/app/jobs.py:12 perform", True),
        )
    )
    audit = (m.AuditRow("1-0", NOW_S - 300, "ben", "operator", "set_retry", "retries", count=1, result="done"),)
    return m.JobPage(
        frame(),
        row.jid,
        row,
        (row.place, m.Place("enqueued", queue="critical")),
        (shown("881"), shown('"eur"'), m.Shown("", 0, is_hidden=True)),
        moments,
        trace,
        (m.Extra("trace_id", shown("00-4bf92f3577b34da6")),),
        m.Shown('{"class": "PaymentJob"}', 9000, is_cut=True),
        usual_s=27.0,
        same_error=198,
        group="f1",
        audit=audit,
        bid="b9c0",
    )


def running_job() -> m.JobPage:
    row = job(
        2,
        "reports.Reindex",
        "low",
        "[]",
        m.Place("running", queue="low", process="web1:311:aa", thread="t3", since=NOW_S - 90),
    )
    moments = (
        m.Moment("created", "enqueued", NOW_S - 100),
        m.Moment("started", "running", NOW_S - 90, 10.0),
        m.Moment("running", "running", NOW_S, 90.0),
    )
    return m.JobPage(
        frame(),
        row.jid,
        row,
        (row.place,),
        timeline=moments,
        iteration=m.IterationFacts(shown("8200"), 3, 3900.0),
        progress_share=0.41,
    )


def gone_job() -> m.JobPage:
    return m.JobPage(frame(), "7f3a0c51d2e94b6a8f109999", search=m.SearchReport("", (), 20_000, 1_000_000, 0, "c"))


CLASSES = tuple(
    m.ClassRow(name, runs, failed, total, total / runs, 0.03 * n + 0.01, 0.4 * n + 0.05, wave(60, runs / 60, n))
    for n, (name, runs, failed, total) in enumerate(
        (
            ("PaymentJob", 4120, 1730, 9800.0),
            ("MailJob", 48_000, 12, 4100.0),
            ("reports.DailyReport", 31, 0, 2900.0),
            ("DigestJob", 900, 3, 700.0),
            ("Thumbnail", 12_000, 0, 500.0),
            ("Ping", 60, 0, 0.4),
        )
    )
)


def metrics() -> m.MetricsPage:
    lines = tuple((row.job_class, wave(60, row.total_s / 60, n)) for n, row in enumerate(CLASSES[:5]))
    return m.MetricsPage(frame(), "1h", "total", chart(*lines, ("other", wave(60, 2)), marks=(DEPLOY,)), CLASSES, 9)


def empty_metrics() -> m.MetricsPage:
    return m.MetricsPage(frame(EMPTY_SUMMARY), "1h", "total", m.Chart(), (), 0)


def metrics_job() -> m.ClassMetricsPage:
    labels = (
        "20ms",
        "30ms",
        "45ms",
        "65ms",
        "100ms",
        "150ms",
        "225ms",
        "335ms",
        "500ms",
        "750ms",
        "1.1s",
        "1.7s",
        "2.5s",
        "3.8s",
        "5.75s",
        "8.5s",
        "13s",
        "20s",
        "30s",
        "45s",
        "65s",
        "100s",
        "150s",
        "225s",
        "335s",
        "Slow",
    )
    bars = tuple(
        m.Bar(label, 0.02 * 1.5**n if label != "Slow" else None, int(900 * math.exp(-((n - 6) ** 2) / 12)))
        for n, label in enumerate(labels)
    )
    heat = tuple(
        tuple(int(20 * math.exp(-((n - 6 - column / 20) ** 2) / 6)) for n in range(26)) for column in range(60)
    )
    runs = chart(("runs", wave(60, 60)), ("failed", (0.0,) * 40 + tuple(2.0 * n for n in range(20))), marks=(DEPLOY,))
    return m.ClassMetricsPage(
        frame(),
        "PaymentJob",
        "1h",
        CLASSES[0],
        12.0,
        runs,
        chart(("average", wave(60, 2)), ("p95", wave(60, 5))),
        bars,
        heat,
        m.GroupTable("retries", GROUPS[:1], 214, 214),
    )


def search() -> m.SearchPage:
    report = m.SearchReport("mail", (("text", "mail"),), 20_000, 1_013_000, 14, "c2", ())
    sections = (
        m.SearchSection("queue", "mail", queue().rows[:3], report),
        m.SearchSection("retries", "", failed_rows("retries", 1)[:3], report),
        m.SearchSection("dead", "", (), report),
    )
    return m.SearchPage(frame(), report, sections, ("mail",), ("mailer:12:ab",), ("MailJob",))


def audit() -> m.AuditPage:
    rows = (
        m.AuditRow("3-0", NOW_S - 40, "ana", "admin", "queue_clear", "mail", "", 12_001, "done", "10.0.0.4", "u1"),
        m.AuditRow("2-0", NOW_S - 400, "ben", "operator", "bulk_retry", "retries", "group:f1", 198, "done", "10.0.0.7"),
        m.AuditRow("1-0", NOW_S - 90_000, "", "viewer", "process_stop", "web1:311:aa", "", None, "refused", "10.0.0.9"),
    )
    return m.AuditPage(frame(), rows, 3, "0-1")


def removed() -> m.UndoPage:
    return m.UndoPage(
        frame(),
        (
            m.UndoRow("u1", "queue", "mail", 12_001, NOW_S - 40, NOW_S + 560),
            m.UndoRow("u2", "set", "dead", 3, NOW_S - 90, NOW_S + 510),
        ),
    )


def confirm(action: str = "set_delete", count: int = 3) -> Confirm:
    word = action.rpartition("_")[2] if count > 100 else ""
    return Confirm(
        action=action,
        target="retries",
        count=count,
        is_exact=count < 1000,
        samples=failed_rows("retries", 1)[:3],
        must_type=word,
        cutoff_at=NOW_S,
        undo_s=600.0,
        fields=(("key", "k1"), ("key", "k2"), ("confirmed", "1"), ("back", "/retries")),
        action_url="/jobs/sets/retries/delete",
        back="/retries",
        words=(("class", "PaymentJob"),),
    )


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
