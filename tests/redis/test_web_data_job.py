"""The page of a job: found wherever it is, with what happened to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from web_fleet import (
    NOW_MS,
    NOW_S,
    WEB,
    Scene,
    active_job,
    add_process,
    count_runs,
    enqueue,
    failed,
    packed,
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


def stations(page: object) -> list[tuple[str, float | None]]:
    return [(moment.code, moment.at) for moment in page.timeline]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "state", "set_name"),
    [("retry", "retrying", "retries"), ("dead", "dead", "dead"), ("schedule", "scheduled", "scheduled")],
)
def test_a_job_of_a_set_is_found(scene: Scene, raw: redis.Redis, key: str, state: str, set_name: str) -> None:
    raw.zadd(key, {failed("abc"): 77.5, failed("other"): 77.5})
    for page in (scene.data.job("abc"), scene.data.job("abc", place=set_name, at=77.5)):
        assert page.job is not None
        assert (page.job.jid, page.job.place.state, page.job.place.set_name, page.job.place.at) == (
            "abc",
            state,
            set_name,
            77.5,
        )
        assert len(page.places) == 1


def test_a_job_of_a_queue_is_found(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{n}") for n in range(9)))
    for page in (scene.data.job("j3"), scene.data.job("j3", place="queue:mail", at=4)):
        assert page.job is not None
        assert (page.job.place.state, page.job.place.queue, page.job.place.position) == ("enqueued", "mail", 4)


def test_a_job_of_a_queue_is_found_though_others_left(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{n}") for n in range(200)))
    raw.rpop("queue:mail", 150)
    page = scene.data.job("j180", place="queue:mail", at=181)
    assert page.job is not None
    assert page.job.place.position == 31


def test_a_running_job_is_found(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("abc"))
    page = scene.data.job("abc")
    assert page.job is not None
    assert (page.job.place.state, page.job.place.process, page.job.place.since) == ("running", WEB, NOW_S - 30)
    assert stations(page)[-1] == ("running", NOW_S - 30)


def test_a_job_that_is_in_two_places_shows_both(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("abc"))
    raw.zadd("retry", {failed("abc"): 5.0})
    assert {place.state for place in scene.data.job("abc").places} == {"running", "retrying"}


def test_a_job_that_is_nowhere_tells_how_far_was_searched(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc"): 5.0})
    page = scene.data.job("gone")
    assert page.job is None
    assert page.search is not None
    assert (page.search.searched, page.search.total, page.search.is_whole) == (1, 1, True)


def test_a_jid_inside_of_the_arguments_of_another_is_not_it(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("other", args=[{"jid": "abc"}]): 5.0})
    assert scene.data.job("abc").job is None


def test_a_job_without_a_jid_is_found_by_its_time(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {b"{broken": 5.5})
    page = scene.data.job("-", place="retries", at=5.5)
    assert page.job is not None
    assert (page.job.is_readable, page.raw.text, page.timeline[-1].code) == (False, "{broken", "next_try")


def test_one_of_a_thousand_with_the_same_time_is_found(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n:03}"): 5.0 for n in range(900)})
    page = scene.data.job("j777", place="retries", at=5.0)
    assert page.job is not None


# -- what happened -----------------------------------------------------------------------------------------


def test_the_timeline_of_a_first_failure(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", retry=25): NOW_S + 240})
    page = scene.data.job("abc")
    assert stations(page) == [
        ("created", NOW_S - 60),
        ("enqueued", NOW_S - 60),
        ("failed", NOW_S - 60),
        ("next_try", NOW_S + 240),
    ]
    assert page.timeline[-1].is_future
    assert page.timeline[-1].facts == {"try": 2, "of": 26}
    assert page.next_at == NOW_S + 240


def test_the_timeline_says_that_times_are_missing(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", retry_count=4, retried_at=NOW_MS - 5000, enqueued_at=NOW_MS - 70_000): NOW_S + 9})
    page = scene.data.job("abc")
    assert [(moment.code, moment.facts) for moment in page.timeline[2:5]] == [
        ("failed", {"try": 1, "of": 26}),
        ("unknown_tries", {"count": 3}),
        ("failed", {"try": 5, "of": 26}),
    ]


def test_the_timeline_of_a_retry_that_waits_again(scene: Scene, raw: redis.Redis) -> None:
    job = failed("abc", failed_at=NOW_MS - 50_000, enqueued_at=NOW_MS - 10_000)
    enqueue(raw, "default", job)
    assert [code for code, _ in stations(scene.data.job("abc"))] == ["created", "failed", "enqueued", "waiting"]


def test_the_timeline_of_a_dead_job(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("dead", {ruby6("abc"): NOW_S - 10})
    assert stations(scene.data.job("abc"))[-1] == ("died", NOW_S - 10)


def test_times_between_stations_are_told(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {ruby6("abc", enqueued_at=NOW_S - 85.0): NOW_S})
    created, enqueued, *_ = scene.data.job("abc").timeline
    assert (created.after_s, enqueued.after_s) == (None, 5.25)


# -- what it is --------------------------------------------------------------------------------------------


def test_arguments_are_exact(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", args=[9007199254740993, 1.0, {"a": []}]): 5.0})
    assert [one.text for one in scene.data.job("abc").args] == ["9007199254740993", "1.0", '{\n  "a": []\n}']


def test_the_backtrace_tells_the_application_from_libraries(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {ruby6("abc"): 5.0})
    assert [(line.text[:11], line.is_app) for line in scene.data.job("abc").backtrace] == [
        ("/app/pay.rb", True),
        ("/gems/net-h", False),
    ]


def test_keys_without_a_place_are_shown(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", trace_id="t-1", cattr={"user": 7}): 5.0})
    page = scene.data.job("abc")
    assert [(extra.name, extra.value.text) for extra in page.extras] == [("trace_id", "t-1")]
    assert page.job is not None
    assert page.job.context is not None
    assert page.job.context.text == '{"user": 7}'


def test_how_many_fail_alike(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}", message=f"no {n}"): float(n) for n in range(7)})
    page = scene.data.job("j3", place="retries", at=3.0)
    assert page.same_error == 7
    assert page.group is not None
    assert len(scene.data.retries(view="list", q=page.group).rows) == 7


def test_what_its_class_usually_takes(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", "SlowJob"): 5.0})
    count_runs(scene.fleet, "SlowJob", 4, ran=5, ms=1200)
    assert scene.data.job("abc").usual_s == 1.2


def test_an_iterable_job_shows_its_cursor(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("abc"))
    raw.hset("it-abc", mapping={"ex": 2, "c": '"page 7"', "rt": "3.5", "cancelled": int(NOW_S)})
    found = scene.data.job("abc").iteration
    assert found is not None
    assert (found.cursor.text, found.runs, found.cancelled_at) == ('"page 7"', 2, NOW_S)


def test_who_may_not_see_it_sees_no_word_of_it(scene: Scene, raw: redis.Redis) -> None:
    lines = packed(["/app/secret.py:1"])
    job = failed("abc", args=["secret"], message="secret", cattr={"a": "secret"}, note="secret", error_backtrace=lines)
    raw.zadd("retry", {job: 5.0})
    raw.hset("it-abc", mapping={"ex": 2, "c": '"secret"'})
    page = scene.data.job("abc", place="retries", at=5.0, redact=HIDE_ALL)
    assert page.job is not None
    assert "secret" not in repr(page)


def test_hidden_parts_of_a_wrapper_are_hidden_in_the_payload_too(scene: Scene, raw: redis.Redis) -> None:
    def mask(job: object, field: str, value: object) -> object:
        return ["***"] if field == "args" else value

    raw.zadd("retry", {active_job("abc", "PayJob", ["4111"]): 5.0})
    assert "4111" not in repr(scene.with_redact(mask).job("abc"))


def test_the_ciphertext_of_an_encrypted_argument_is_not_shown(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", args=[5, "BAhTOhpTaWRl"], encrypt=True): 5.0})
    page = scene.data.job("abc")
    assert page.job is not None
    assert "BAhT" not in repr(page)
    assert page.args[0].text == "5"


def test_what_people_did_to_it_is_shown(scene: Scene, raw: redis.Redis) -> None:
    raw.xadd("pl:audit", {"who": "ana", "action": "set_retry", "target": "retries abc"}, id="1795312000000-0")
    raw.xadd("pl:audit", {"who": "bob", "action": "set_kill", "target": "other"}, id="1795312001000-0")
    assert [(row.actor, row.at) for row in scene.data.job("abc").audit] == [("ana", 1795312000.0)]


def test_a_long_argument_is_cut_until_all_is_asked_for(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", args=["x" * 50_000]): 5.0})
    (cut,) = scene.data.job("abc", place="retries", at=5.0).args
    assert (cut.is_cut, len(cut.text), cut.size_bytes) == (True, 2048, 50_002)
    (whole,) = scene.data.job("abc", place="retries", at=5.0, everything=True).args
    assert (whole.is_cut, len(whole.text)) == (False, 50_002)


def test_a_very_large_job_shows_what_its_ends_say(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc", "BigJob", args=["x" * 3_000_000]): 5.0})
    (row,) = scene.data.retries(view="list").rows
    assert (row.label, row.size_bytes > 3_000_000, row.args.is_cut, row.queue) == ("BigJob", True, True, "default")
    assert row.error is not None
    assert (row.error.error_class, row.error.failed_at) == ("KeyError", NOW_S - 60)
