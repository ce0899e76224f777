"""Sample pages of the dashboard as values: a lively fleet in trouble, and an empty one."""

from __future__ import annotations

import dataclasses
import math

from web_sample_pieces import (
    DEPLOY,
    EMPTY_SUMMARY,
    GROUPS,
    KEY_ERROR,
    NOW_S,
    QUEUES,
    REDIS,
    TIMEOUT,
    VERDICT,
    chart,
    failed_rows,
    frame,
    group,
    job,
    set_place,
    shown,
    wave,
)

from pillion.web.confirm import Confirm
from pillion.web.data import models as m


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


PROCESSES = (
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
RUNNING = m.Place("running", process="web1:311:aa", thread="t3", since=NOW_S - 250)
WORKS = (
    m.RunningRow(job(1, "PaymentJob", "default", '[881, "eur"]', RUNNING), 250.0, 27.0),
    m.RunningRow(
        job(2, "reports.Reindex", "low", "[]", RUNNING),
        4000.0,
        None,
        0.41,
        m.IterationFacts(shown("8200"), 3, 3900.0),
    ),
    m.RunningRow(
        job(3, "MailJob", "mail", '["welcome", 17]', RUNNING),
        0.4,
        0.9,
        None,
        m.IterationFacts(shown('{"id": 17}'), 1, 1.0),
    ),
)


def busy() -> m.BusyPage:
    return m.BusyPage(
        frame(), PROCESSES, m.Pager(1, 25, 3), WORKS, m.Pager(1, 25, 38), rss_bytes=1_900_000_000, quiet=1, late=1
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
