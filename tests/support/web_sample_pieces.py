"""Pieces of the sample pages of the dashboard: jobs, errors, queues, a verdict, charts."""

from __future__ import annotations

import math
from typing import Any

from pillion.web.data import models as m

NOW_S = 1_795_312_000.0  # 2026-11-22 about 01:06 UTC
EMPTY_SUMMARY = m.Summary()
SUMMARY = m.Summary(1_204_331, 912, 38, 50, 4, 12_480, 1_020, 214, 57, 3, 680.0, 2.0)


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
