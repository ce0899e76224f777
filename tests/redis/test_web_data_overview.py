"""The bar on every page, queues, processes and what runs, as the dashboard reads them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from web_fleet import (
    NOW_S,
    WEB,
    Scene,
    active_job,
    add_process,
    count_runs,
    dumps,
    enqueue,
    failed,
    payload,
    ruby6,
    run,
)

from pillion.web.data.redaction import HIDE_ALL


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def test_an_empty_redis_has_zeros_and_is_new(scene: Scene) -> None:
    page = scene.data.dashboard()
    assert (page.is_new, page.steps.pushed, page.steps.started, page.steps.ran) == (True, False, False, False)
    assert page.frame.summary.enqueued == page.frame.summary.processes == 0
    assert page.frame.problems == ()
    assert page.verdict.level == "ok"


def test_the_first_steps_are_seen_by_their_traces(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a"))
    assert scene.data.dashboard().steps.pushed
    add_process(raw)
    scene.later()
    assert scene.data.dashboard().steps.started
    raw.incr("stat:processed")
    scene.later()
    page = scene.data.dashboard()
    assert page.steps.all_done
    assert not page.is_new


def test_the_bar_counts_everything(scene: Scene, raw: redis.Redis) -> None:
    raw.mset({"stat:processed": 70, "stat:failed": 3})
    enqueue(raw, "mail", payload("a"), payload("b"))
    enqueue(raw, "default", payload("c"))
    for key, count in (("schedule", 2), ("retry", 3), ("dead", 4)):
        raw.zadd(key, {payload(f"{key}{number}"): number for number in range(count)})
    add_process(raw, busy=2, concurrency=10)
    add_process(raw, "web2:5:ffff", busy=1, concurrency=5)
    bar = scene.data.frame().summary
    assert (bar.processed, bar.failed, bar.enqueued, bar.scheduled, bar.retries, bar.dead) == (70, 3, 3, 2, 3, 4)
    assert (bar.busy, bar.slots, bar.processes, bar.queues, bar.oldest_wait_s) == (3, 15, 2, 2, 60.0)


def test_the_bar_names_the_redis(scene: Scene) -> None:
    assert scene.data.frame().redis_version.split()[0] in ("Redis", "Valkey")


def test_a_process_that_is_an_owner_is_ours_and_others_are_rubys(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    add_process(raw, "py:9:abc", version="0.1.0")
    raw.hset("pl:owners", "py:9:abc", "{}")
    runtimes = {row.identity: row.runtime for row in scene.data.busy().processes}
    assert runtimes == {WEB: "sidekiq", "py:9:abc": "pillion"}
    frame = scene.data.frame()
    assert (frame.has_ruby, frame.has_pillion) == (True, True)


def test_a_listed_process_without_a_record_is_not_shown(scene: Scene, raw: redis.Redis) -> None:
    raw.sadd("processes", "gone:1:a")
    assert scene.data.busy().processes == ()


def test_a_process_that_died_is_remembered_for_a_quarter_of_an_hour(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    raw.sadd("processes", "gone:1:a")
    assert scene.data.busy().lost == ("gone:1:a",)
    raw.srem("processes", "gone:1:a")
    scene.later(14 * 60)
    raw.hset(WEB, "beat", scene.clock.now_s)
    (found,) = scene.data.health().reasons
    assert (found.code, found.facts["count"], found.since) == ("lost_processes", 1, NOW_S)
    scene.later(61)
    assert scene.data.busy().lost == ()


def test_of_versions_the_one_that_differs_is_marked(scene: Scene, raw: redis.Redis) -> None:
    for number in range(3):
        add_process(raw, f"w{number}:1:a", version="8.1.7" if number else "8.0.0")
    assert {row.identity: row.is_odd_version for row in scene.data.busy().processes} == {
        "w0:1:a": True,
        "w1:1:a": False,
        "w2:1:a": False,
    }


def test_a_queue_that_no_process_serves_is_told_apart(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a", queue="mail"))
    enqueue(raw, "default", payload("b"))
    add_process(raw)
    rows = {row.name: row for row in scene.data.queues().rows}
    assert (rows["mail"].is_served, rows["mail"].level) == (False, "fail")
    assert (rows["default"].is_served, rows["default"].level, rows["default"].slots) == (True, "ok", 5)


def test_a_quiet_process_serves_nobody(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a"))
    add_process(raw, quiet="true")
    assert not scene.data.queues().rows[0].is_served


def test_slots_of_a_queue_are_those_of_its_capsules(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail")
    identity = add_process(raw, queues=("default", "mail"), concurrency=12)
    info = {
        "queues": ["default", "mail"],
        "capsules": {
            "default": {"concurrency": 10, "mode": "strict", "weights": {"default": 0}},
            "mails": {"concurrency": 2, "mode": "strict", "weights": {"mail": 0}},
        },
    }
    raw.hset(identity, "info", dumps(info))
    (mail,) = scene.data.queues(q="mail").rows
    assert (mail.workers, mail.slots) == (1, 2)


def test_queues_are_sorted_by_what_needs_somebody(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "fine", payload("a"))
    enqueue(raw, "nobody", payload("b"))
    enqueue(raw, "paused", payload("c"))
    raw.sadd("paused", "paused")
    add_process(raw, queues=("fine", "paused"))
    assert [row.name for row in scene.data.queues().rows] == ["nobody", "paused", "fine"]
    assert [row.name for row in scene.data.queues(sort="name").rows] == ["fine", "nobody", "paused"]
    assert [row.name for row in scene.data.queues(paused_only=True).rows] == ["paused"]


def test_a_queue_that_grows_tells_how_fast_and_one_that_shrinks_when_it_is_empty(
    scene: Scene, raw: redis.Redis
) -> None:
    enqueue(raw, "up", *(payload(f"u{n}") for n in range(10)))
    enqueue(raw, "down", *(payload(f"d{n}") for n in range(30)))
    scene.data.queues()
    scene.later(60)
    enqueue(raw, "up", *(payload(f"v{n}") for n in range(5)))
    raw.rpop("queue:down", 10)
    rows = {row.name: row for row in scene.data.queues().rows}
    assert (rows["up"].change_per_min, rows["up"].drains_in_s) == (5.0, None)
    assert (rows["down"].change_per_min, rows["down"].drains_in_s) == (-10.0, 120.0)
    assert rows["up"].sizes[-2:] == (10, 15)


def test_a_queue_seen_for_the_first_time_has_no_trend(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a"))
    (row,) = scene.data.queues().rows
    assert (row.change_per_min, row.drains_in_s, row.sizes[:-1]) == (None, None, (None,) * 59)


def test_two_views_within_a_second_ask_redis_once(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a"))
    scene.data.queues()
    enqueue(raw, "default", payload("b"))
    assert scene.data.queues().rows[0].size == 1
    scene.later(1.1)
    assert scene.data.queues().rows[0].size == 2


# -- one queue ---------------------------------------------------------------------------------------------


def test_a_queue_shows_first_what_runs_next(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{number}") for number in range(7)))
    page = scene.data.queue("mail", count=3, page=2)
    assert [row.jid for row in page.rows] == ["j3", "j4", "j5"]
    assert [row.place.position for row in page.rows] == [4, 5, 6]
    assert (page.pager.pages, page.pager.first, page.pager.last) == (3, 4, 6)


def test_a_queue_newest_first(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{number}") for number in range(7)))
    page = scene.data.queue("mail", count=2, order="newest")
    assert [(row.jid, row.place.position) for row in page.rows] == [("j6", 7), ("j5", 6)]


def test_a_job_in_a_queue_belongs_to_it_whatever_it_says(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a", queue="other"))
    assert scene.data.queue("mail").rows[0].queue == "mail"


def test_an_unknown_queue_offers_names_like_it(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a"))
    page = scene.data.queue("mial")
    assert (page.exists, page.did_you_mean, page.rows) == (False, ("mail",), ())


def test_a_queue_tells_which_classes_are_in_it(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"m{n}", "MailJob") for n in range(9)), payload("d", "DigestJob"))
    page = scene.data.queue("mail")
    assert [(one.label, one.count, one.share) for one in page.classes] == [("MailJob", 9, 0.9), ("DigestJob", 1, 0.1)]


def test_no_page_has_more_than_500_rows(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{number}") for number in range(600)))
    assert len(scene.data.queue("mail", count=10**9).rows) == 500


def test_a_page_beyond_the_end_is_empty(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a"))
    page = scene.data.queue("mail", page=10**9)
    assert (page.rows, page.pager.first) == ((), 0)


# -- what runs ---------------------------------------------------------------------------------------------


def test_running_jobs_are_listed_longest_first(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw, busy=2)
    run(raw, WEB, "t1", payload("short"), since_s=5)
    run(raw, WEB, "t2", payload("long"), since_s=500)
    rows = scene.data.busy().jobs
    assert [(row.job.jid, row.for_s, row.job.place.thread) for row in rows] == [("long", 500, "t2"), ("short", 5, "t1")]


def test_a_running_job_is_compared_with_what_its_class_takes(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("a", "SlowJob"), since_s=20)
    count_runs(scene.fleet, "SlowJob", 3, ran=10, ms=2000)
    (row,) = scene.data.busy().jobs
    assert (row.usual_s, row.times_usual) == (2.0, 10.0)


def test_a_running_iterable_job_shows_how_far_it_is(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("abc"))
    raw.hset("it-abc", mapping={"ex": 3, "c": "8200", "rt": "12.5"})
    raw.set("job:progress:abc", "41.0")
    (row,) = scene.data.busy().jobs
    assert row.iteration is not None
    assert (row.iteration.cursor.text, row.iteration.runs, row.iteration.run_s) == ("8200", 3, 12.5)
    assert row.progress_share == 0.41


def test_the_state_of_another_jid_is_not_taken_for_that_of_the_job(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    job = payload("real", args=[{"jid": "evil"}])
    run(raw, WEB, "t1", job)
    raw.hset("it-evil", mapping={"ex": 3, "c": "8200"})
    assert scene.data.busy().jobs[0].iteration is None


def test_old_sidekiq_keeps_what_runs_under_another_key(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    entry = {"queue": "default", "payload": payload("old").decode(), "run_at": int(NOW_S)}
    raw.hset(f"{WEB}:workers", "t1", dumps(entry))
    assert [row.job.jid for row in scene.data.busy().jobs] == ["old"]


def test_running_jobs_can_be_filtered(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("a", "MailJob"))
    run(raw, WEB, "t2", payload("b", "OtherJob"))
    page = scene.data.busy(q="class:MailJob")
    assert ([row.job.jid for row in page.jobs], page.pager.total) == (["a"], 1)


def test_processes_alone_and_jobs_alone(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("a"))
    assert len(scene.data.busy(only="processes").jobs) == 0
    assert len(scene.data.busy(only="jobs").processes) == 0


def test_a_process_that_does_not_beat_is_late(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw, beat=NOW_S - 40)
    page = scene.data.busy()
    assert (page.processes[0].is_late, page.processes[0].beat_age_s, page.late) == (True, 40.0, 1)


# -- Ruby's shapes -----------------------------------------------------------------------------------------


def test_a_job_of_active_job_is_shown_unwrapped(scene: Scene, raw: redis.Redis) -> None:
    gid = {"_aj_globalid": "gid://shop/User/7"}
    enqueue(raw, "default", active_job("a", "WelcomeJob", [gid, {"soon": True, "_aj_symbol_keys": ["soon"]}]))
    (row,) = scene.data.queue("default").rows
    assert (row.label, row.job_class) == ("WelcomeJob", "Sidekiq::ActiveJob::Wrapper")
    assert row.args.text == '["gid://shop/User/7", {"soon": true}]'


def test_an_encrypted_argument_is_hidden_and_the_others_are_not(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a", args=[5, "BAhTOh..."], encrypt=True))
    text = scene.data.queue("default").rows[0].args.text
    assert "BAhT" not in text
    assert text.startswith("[5, ")


def test_who_may_not_see_arguments_sees_none(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a", args=["secret"], cattr={"token": "secret"}))
    (row,) = scene.data.queue("default", redact=HIDE_ALL).rows
    assert (row.args.is_hidden, row.args.text, row.context is not None and row.context.is_hidden) == (True, "", True)
    assert "secret" not in repr(row)


def test_the_history_has_a_number_for_each_day(scene: Scene, raw: redis.Redis) -> None:
    raw.set("stat:processed:2026-11-22", 40)
    raw.set("stat:failed:2026-11-22", 2)
    days = scene.data.dashboard(days=3).per_day
    assert [(day.processed, day.failed) for day in days] == [(0, 0), (0, 0), (40, 2)]
    assert days[-1].at == NOW_S // 86_400 * 86_400


def test_days_are_kept_within_bounds(scene: Scene) -> None:
    assert len(scene.data.dashboard(days=10**9).per_day) == 180
    assert len(scene.data.dashboard(days=-3).per_day) == 1


def test_the_tiles_count_runs_and_failures_by_minutes(scene: Scene) -> None:
    for minute in range(1, 4):
        count_runs(scene.fleet, "A", minute, ran=8, failed=2)
    vitals = {vital.name: vital for vital in scene.data.dashboard().vitals}
    assert (vitals["throughput"].value, vitals["failures"].value) == (10.0, 2.0)
    assert vitals["throughput"].chart.lines[0].values[-4:] == (0.0, 10.0, 10.0, 10.0)


def test_failed_jobs_of_old_sidekiq_have_times_too(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {ruby6("r"): NOW_S + 9, failed("p"): NOW_S + 10})
    row = scene.data.retries(view="list").rows[0]
    assert row.error is not None
    assert (row.created_at, row.error.failed_at, row.error.retried_at) == (NOW_S - 90.25, NOW_S - 70.125, NOW_S - 10.5)
    assert (row.tries, row.max_tries, row.place.at) == (2, 6, NOW_S + 9)
