"""The verdict: is the fleet healthy, if not why, since when, and what helps. Facts in, reasons out, no I/O.

Each reason has a `code` with `facts` for the locales, and cures (c):

    no_workers          enqueued                                   c see_processes (`explain`: the command)
    all_quiet           processes, enqueued                        c see_processes
    queue_unserved      queue, size, wait_s                        c see_queue, see_processes (`explain`: the command)
    queue_slow          queue, size, wait_s, target_s              c see_queue, pause
    queue_paused_full   queue, size, wait_s                        c resume, see_queue
    more_queues         count, size                                c see_queues
    late_processes      count, identity                            c see_processes
    lost_processes      count, identity, ago_s                     c see_processes
    overdue             count                                      c see_scheduled, see_processes
    failing_class       label, failed_share, before_share or None, failed, runs, and if an error is known error, jobs,
                        first_at, and after a deploy: deploy, after_deploy_s
                                                                   c see_group, retry_group, see_class
    errors_burst        label, error, jobs, first_at, and after a deploy: deploy, after_deploy_s
                                                                   c see_group, retry_group
    dead_full           dead, limit                                c see_dead
    unreadable          count, set                                 c see_set
    redis_memory        memory_share, policy, used_bytes, limit_bytes   c see_queues, see_dead, see_removed
    redis_replica       -
    redis_persistence   kind ("aof", "rdb")
    wrong_keys          count, key
    redis_eviction      policy
    redis_clients       clients, max_clients, clients_share        c see_processes

`advice` are English sentences.
"""

from __future__ import annotations

from pillion.web.data.models import Health, Verdict
from pillion.web.data.verdict_facts import Facts
from pillion.web.data.verdict_fleet import FLEET_RULES
from pillion.web.data.verdict_jobs import JOB_RULES
from pillion.web.data.verdict_redis import REDIS_RULES

_ORDER: dict[Health, int] = {"fail": 0, "warn": 1, "ok": 2}


def judge(facts: Facts) -> Verdict:
    """All reasons, the gravest first; of equal ones, those about workers and queues, then jobs, then Redis."""
    found = [reason for rule in (*FLEET_RULES, *JOB_RULES, *REDIS_RULES) for reason in rule(facts)]
    reasons = tuple(sorted(found, key=lambda reason: _ORDER[reason.level]))
    level: Health = reasons[0].level if reasons else "ok"
    began = [reason.since for reason in reasons if reason.since is not None and reason.level == level]
    return Verdict(level, reasons, min(began) if began else None)
