"""Error groups: jobs that failed alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from web_fleet import NOW_MS, NOW_S, Scene, active_job, failed, mark_deploy, packed, payload, ruby6

from pillion.web.data.redaction import HIDE_ALL


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def test_errors_that_differ_in_numbers_only_are_one_group(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}", message=f"no user {n + 10}"): NOW_S + n for n in range(5)})
    raw.zadd("retry", {failed("other", message="no account 3"): NOW_S})
    groups = scene.data.retries().groups
    assert [(group.pattern, group.count) for group in groups.groups] == [("no user <n>", 5), ("no account <n>", 1)]
    assert (groups.looked_at, groups.total, groups.is_whole) == (6, 6, True)


def test_the_same_error_of_another_class_is_another_group(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", "A"): 1.0, failed("b", "B"): 2.0, failed("c", "A", "ValueError"): 3.0})
    assert len(scene.data.retries().groups.groups) == 3


def test_a_group_tells_when_and_how_often(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {ruby6("a"): 1.0, ruby6("b", retry_count=3, failed_at=NOW_S - 7000.5): 2.0})
    (group,) = scene.data.retries().groups.groups
    assert (group.tries_low, group.tries_high, group.first_at, group.last_at) == (2, 4, NOW_S - 7000.5, NOW_S - 10.5)
    assert (sum(group.history), group.history[-1], len(group.history)) == (2, 2, 24)
    assert (group.samples, group.queues) == (("a", "b"), ("default",))


def test_a_group_names_the_line_of_the_application(scene: Scene, raw: redis.Redis) -> None:
    lines = ["/usr/lib/python3.11/json/decoder.py:355:in raw_decode", "/srv/shop/pay.py:81:in charge"]
    raw.zadd("retry", {failed("a", error_backtrace=packed(lines)): 1.0})
    assert scene.data.retries().groups.groups[0].where == "/srv/shop/pay.py:81:in charge"


def test_a_group_names_the_deploy_before_it(scene: Scene, raw: redis.Redis) -> None:
    mark_deploy(raw, "a1b2c3 new prices", 300)
    mark_deploy(raw, "older", 20_000)
    raw.zadd("retry", {failed("a"): 1.0})
    deploy = scene.data.retries().groups.groups[0].deploy
    assert deploy is not None
    assert (deploy.label, deploy.at) == ("a1b2c3 new prices", NOW_S - 300)


def test_the_filter_of_a_group_finds_exactly_its_jobs(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}", message=f'no "user" {n}'): n for n in range(4)})
    raw.zadd("retry", {failed("x", message="other"): 9.0, failed("y", "B"): 10.0})
    group = scene.data.retries().groups.groups[0]
    page = scene.data.retries(view="list", q=group.query)
    assert [row.jid for row in page.rows] == ["j0", "j1", "j2", "j3"]
    assert scene.data.preview("retries", "retry", q=group.query).count == group.count


def test_mails_of_active_job_are_told_apart(scene: Scene, raw: redis.Redis) -> None:
    mails = {
        active_job(name, "ActionMailer::MailDeliveryJob", ["UserMailer", name, "deliver_now", {"args": []}],
                   error_class="E", error_message="m", failed_at=NOW_MS, retry_count=0): 1.0
        for name in ("welcome", "goodbye")
    }  # fmt: skip
    raw.zadd("retry", mails)
    assert {group.label for group in scene.data.retries().groups.groups} == {"UserMailer#welcome", "UserMailer#goodbye"}


def test_of_a_large_set_ten_thousand_are_looked_at(scene: Scene, raw: redis.Redis) -> None:
    for start in range(0, 10_500, 500):
        raw.zadd("dead", {failed(f"j{n:05}", "Old" if n < 500 else "New"): n for n in range(start, start + 500)})
    groups = scene.data.dead().groups
    assert (groups.looked_at, groups.total, groups.is_whole) == (10_000, 10_500, False)
    assert [(group.label, group.count) for group in groups.groups] == [("New", 10_000)]


def test_a_set_that_is_large_because_its_jobs_are_is_looked_at_in_part(scene: Scene, raw: redis.Redis) -> None:
    for n in range(40):
        raw.zadd("retry", {failed(f"j{n:02}", args=["x" * 300_000]): n})
    groups = scene.data.retries().groups
    assert 0 < groups.looked_at < 40
    assert groups.groups[0].label == "app.Job"
    assert groups.groups[0].error_class == "KeyError"


def test_what_is_no_job_is_counted_apart(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {b"{broken": 1.0, b"[1,2]": 2.0, b"\xff\xfe": 3.0, failed("a"): 4.0})
    groups = scene.data.retries().groups
    assert (groups.unreadable, [group.count for group in groups.groups]) == (3, [1])


@pytest.mark.parametrize("value", [None, 5, [], {}, True, "x" * 100_000])
def test_any_field_may_have_any_type(scene: Scene, raw: redis.Redis, value: object) -> None:
    names = ("class", "wrapped", "display_class", "queue", "jid", "error_class", "error_message", "failed_at")
    jobs = {failed("a", **{name: value, "args": [name]}): 1.0 for name in names if name != "jid"}
    raw.zadd("retry", jobs)
    page = scene.data.retries()
    assert sum(group.count for group in page.groups.groups) == len(jobs)


def test_who_may_not_read_messages_sees_classes_and_numbers(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", message="card 4111"): 1.0})
    (group,) = scene.data.retries(redact=HIDE_ALL).groups.groups
    assert (group.error_class, group.count, group.pattern, group.message.is_hidden) == ("KeyError", 1, "", True)
    assert "4111" not in repr(group)


def test_jobs_that_never_failed_are_no_error(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {payload("a"): 1.0})
    assert scene.data.dashboard().errors == ()


def test_the_dashboard_shows_the_largest_groups_of_both_sets(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"r{n}", "A"): n for n in range(3)})
    raw.zadd("dead", {failed(f"d{n}", "B"): n for n in range(5)})
    page = scene.data.dashboard()
    assert [(name, group.label, group.count) for name, group in page.errors] == [("dead", "B", 5), ("retries", "A", 3)]
    assert (page.errors_looked_at, page.errors_total) == (8, 8)


def test_a_filter_keeps_the_groups_that_fit(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", "A"): 1.0, failed("b", "B"): 2.0})
    page = scene.data.retries(q="class:B")
    assert [group.label for group in page.groups.groups] == ["B"]
    assert page.search is not None
    assert page.search.words == (("class", "B"),)


def test_windows_of_time_are_told_apart(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("old", "Old", failed_at=NOW_MS - 5 * 3_600_000): 1.0, failed("new", "New"): 2.0})
    found = {window: len(scene.data.retries(window=window).groups.groups) for window in ("1h", "24h", "", "1h")}
    assert found == {"1h": 1, "24h": 2, "": 2}
