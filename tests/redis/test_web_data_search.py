"""Searching jobs: literally, within a budget, with a cursor, and never in what is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from web_fleet import NOW_S, WEB, Scene, active_job, add_process, enqueue, failed, payload, run

from pillion.api.record import JobData
from pillion.web.data.redaction import HIDDEN, HIDE_ALL


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def all_hits(look: Any, q: str, **options: Any) -> tuple[list[str], int]:
    """The jids of all hits, page by page, and how many pages it took."""
    jids: list[str] = []
    cursor, pages = "", 0
    while True:
        page = look(q=q, cursor=cursor, **options)
        jids += [row.jid for row in page.rows]
        pages += 1
        if page.search.cursor is None:
            return jids, pages
        assert page.search.cursor != cursor
        cursor = page.search.cursor


def test_a_queue_can_be_searched(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{n}", args=[880 + n % 3]) for n in range(30)))
    page = scene.data.queue("mail", q="args:881")
    assert [row.jid for row in page.rows] == [f"j{n}" for n in range(1, 30, 3)]
    assert (page.search.searched, page.search.total, page.search.hits, page.search.is_whole) == (30, 30, 10, True)


def test_positions_of_hits_are_those_in_the_queue(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{n}") for n in range(30)))
    for order in ("next", "newest"):
        (row,) = scene.data.queue("mail", q="jid:j21", order=order).rows
        assert row.place.position == 22


def test_a_search_goes_on_where_it_ended_though_many_have_the_same_time(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n:03}"): NOW_S + n // 40 for n in range(120)})
    for order in ("asc", "desc"):
        jids, pages = all_hits(scene.data.retries, "KeyError", view="list", count=7, order=order)
        assert sorted(jids) == [f"j{n:03}" for n in range(120)]
        assert pages == 18


def test_a_search_goes_on_right_though_entries_come_and_go(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n:03}"): NOW_S + n for n in range(50)})
    first = scene.data.retries(view="list", q="KeyError", count=10)
    raw.zremrangebyrank("retry", 0, 4)
    raw.zadd("retry", {failed("new"): NOW_S - 5})
    second = scene.data.retries(view="list", q="KeyError", count=10, cursor=first.search.cursor)
    assert [row.jid for row in second.rows] == [f"j{n:03}" for n in range(10, 20)]


def test_a_queue_search_misses_nobody_though_jobs_are_pushed_and_taken(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{n:03}") for n in range(60)))
    first = scene.data.queue("mail", q="app.Job", count=20, order="newest")
    enqueue(raw, "mail", payload("new1"), payload("new2"))
    raw.rpop("queue:mail", 3)
    jids, _ = all_hits(scene.data.queue, "app.Job", count=20, order="newest", name="mail")
    later = scene.data.queue("mail", q="app.Job", count=20, order="newest", cursor=first.search.cursor)
    assert {"j039", "j038"} <= {row.jid for row in later.rows}
    assert len(jids) == 59


def test_a_search_ends_after_its_budget_and_says_how_far_it_got(scene: Scene, raw: redis.Redis) -> None:
    for start in range(0, 23_000, 1000):
        raw.zadd("retry", {failed(f"j{n:05}"): NOW_S + n for n in range(start, start + 1000)})
    page = scene.data.retries(view="list", q="jid:j22500")
    assert (page.rows, page.search.searched, page.search.total) == ((), 20_000, 23_000)
    page = scene.data.retries(view="list", q="jid:j22500", cursor=page.search.cursor)
    assert ([row.jid for row in page.rows], page.search.searched, page.search.cursor) == (["j22500"], 3000, None)


@pytest.mark.parametrize("text", ["[881]", "a*c", "x?y", "b\\c", "100%", "'; DROP", '"q"', "ä/ö", "<b>", "日本"])
def test_every_sign_means_itself(scene: Scene, raw: redis.Redis, text: str) -> None:
    raw.zadd("retry", {failed("hit", args=[f"..{text}.."]): 1.0, failed("miss", args=["81 abc xzy"]): 2.0})
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    page = scene.data.retries(view="list", q=f'"{quoted}"')
    assert [row.jid for row in page.rows] == ["hit"]


@pytest.mark.parametrize("written", ["caf\\u00e9", "caf\\u00E9", "café"])
def test_a_text_is_found_however_its_writer_wrote_it(scene: Scene, raw: redis.Redis, written: str) -> None:
    raw.zadd("retry", {failed("hit", args=["XX"]).replace(b"XX", written.encode()): 1.0})
    for text in ("café", "é"):
        assert [row.jid for row in scene.data.retries(view="list", q=f"args:{text}").rows] == ["hit"]


def test_qualifiers_look_at_their_part_only(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd(
        "retry",
        {
            failed("class", "MailJob"): 1.0,
            failed("args", args=["MailJob"]): 2.0,
            failed("error", message="MailJob is gone"): 3.0,
            failed("tag", tags=["MailJob"]): 4.0,
            failed("queue", queue="MailJob"): 5.0,
        },
    )
    for name in ("class", "args", "error", "tag", "queue"):
        assert [row.jid for row in scene.data.retries(view="list", q=f"{name}:MailJob").rows] == [name]
    assert len(scene.data.retries(view="list", q="MailJob").rows) == 5


def test_tries_can_be_compared(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}", retry_count=n): n for n in range(5)})
    assert [row.jid for row in scene.data.retries(view="list", q="try>=4").rows] == ["j3", "j4"]
    assert [row.jid for row in scene.data.retries(view="list", q="try=1").rows] == ["j0"]


def test_words_must_all_be_true(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", "MailJob", message="late"): 1.0, failed("b", "MailJob", message="early"): 2.0})
    page = scene.data.retries(view="list", q="class:MailJob late")
    assert [row.jid for row in page.rows] == ["a"]
    assert page.search.words == (("class", "MailJob"), ("text", "late"))


def test_what_is_no_number_is_said(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0})
    page = scene.data.retries(view="list", q="try>=many")
    assert page.search.misread == ("try>=many: expected a number, as in try>=3.",)
    assert len(page.rows) == 1


def test_a_class_inside_a_wrapper_is_found(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {active_job("a", "WelcomeJob", [1]): 1.0})
    assert [row.jid for row in scene.data.retries(view="list", q="class:WelcomeJob").rows] == ["a"]


def test_a_window_of_time_keeps_what_failed_within_it(scene: Scene, raw: redis.Redis) -> None:
    old = int((NOW_S - 5 * 3600) * 1000)
    raw.zadd("retry", {failed("old", failed_at=old): 1.0, failed("new"): 2.0})
    assert [row.jid for row in scene.data.retries(view="list", window="1h").rows] == ["new"]
    assert [row.jid for row in scene.data.retries(view="list", window="24h").rows] == ["old", "new"]


@pytest.mark.parametrize("cursor", ["s1e999:0", "snan:1", "l99999999999999", "r-5", "junk", "s:", "r5\n", "x" * 500])
def test_a_cursor_of_nonsense_does_no_harm(scene: Scene, raw: redis.Redis, cursor: str) -> None:
    raw.zadd("retry", {failed("a"): 1.0})
    enqueue(raw, "mail", payload("b"))
    assert scene.data.retries(view="list", q="app", cursor=cursor).search.total == 1
    assert scene.data.queue("mail", q="app", cursor=cursor).search.total == 1


# -- what is hidden ----------------------------------------------------------------------------------------


def test_hidden_arguments_cannot_be_searched(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", "PayJob", args=["4111"], message="card 4111"): 1.0})
    for q in ("4111", "args:4111", "error:4111", '"card 4111"'):
        assert scene.data.retries(view="list", q=q, redact=HIDE_ALL).rows == ()
        assert scene.data.retries(view="groups", q=q, redact=HIDE_ALL).groups.groups == ()
        assert scene.data.search(q, redact=HIDE_ALL).sections == ()
        assert scene.data.preview("retries", "retry", q=q, redact=HIDE_ALL).count == 0
    assert len(scene.data.retries(view="list", q="class:PayJob", redact=HIDE_ALL).rows) == 1


def test_an_answer_for_one_viewer_is_not_given_to_another(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", message="card 4111"): 1.0})
    assert len(scene.data.retries(q="4111").groups.groups) == 1
    assert scene.data.retries(q="4111", redact=HIDE_ALL).groups.groups == ()
    assert scene.data.retries(redact=HIDE_ALL).groups.groups[0].pattern == ""
    assert scene.data.retries().groups.groups[0].message.text == "card 4111"


def test_what_a_function_masks_is_masked_in_rows_search_and_export(scene: Scene, raw: redis.Redis) -> None:
    def mask(job: JobData, field: str, value: Any) -> Any:
        return [HIDDEN, *value[1:]] if field == "args" else value

    raw.zadd("retry", {failed("a", args=["4111", "eur"]): 1.0})
    data = scene.with_redact(mask)
    assert data.retries(view="list").rows[0].args.text == '["«hidden»", "eur"]'
    assert data.retries(view="list", q="args:4111").rows == ()
    assert len(data.retries(view="list", q="args:eur").rows) == 1
    assert [row.args.text for row in data.export("retries")] == ['["«hidden»", "eur"]']
    assert "4111" not in repr(data.job("a", place="retries", at=1.0))


def test_a_function_that_fails_hides(scene: Scene, raw: redis.Redis) -> None:
    def broken(job: JobData, field: str, value: Any) -> Any:
        raise KeyError(field)

    raw.zadd("retry", {failed("a", args=["4111"], message="card 4111"): 1.0})
    data = scene.with_redact(broken)
    assert "4111" not in repr(data.retries(view="list"))
    assert "4111" not in repr(data.retries(view="groups"))
    assert "4111" not in repr(data.dashboard())


# -- everywhere --------------------------------------------------------------------------------------------


def test_everything_is_searched_at_once(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    run(raw, WEB, "t1", payload("r1", args=["needle"]))
    enqueue(raw, "low", payload("q1", args=["needle"]))
    enqueue(raw, "mail", payload("q2", args=["needle"]), payload("q3"))
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {failed(f"{key}1", args=["needle"]): 5.0})
    page = scene.data.search("needle")
    found = [(section.place, section.queue, [row.jid for row in section.rows]) for section in page.sections]
    assert found == [
        ("running", "", ["r1"]),
        ("retries", "", ["retry1"]),
        ("dead", "", ["dead1"]),
        ("scheduled", "", ["schedule1"]),
        ("queue", "low", ["q1"]),
        ("queue", "mail", ["q2"]),
    ]
    assert (page.report.searched, page.report.total) == (6, 6)


def test_a_search_everywhere_goes_on(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"r{n}"): n for n in range(5)})
    enqueue(raw, "mail", *(payload(f"q{n}") for n in range(5)))
    first = scene.data.search("app.Job", count=3)
    jids, cursor = [row.jid for section in first.sections for row in section.rows], first.report.cursor
    while cursor:
        page = scene.data.search("app.Job", count=3, cursor=cursor)
        jids += [row.jid for section in page.sections for row in section.rows]
        cursor = page.report.cursor
    assert sorted(jids) == sorted([f"r{n}" for n in range(5)] + [f"q{n}" for n in range(5)])


def test_names_that_fit_are_offered(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a"))
    add_process(raw, "mailer:1:a")
    page = scene.data.search("mail")
    assert (page.queues, page.processes) == (("mail",), ("mailer:1:a",))


def test_an_empty_search_finds_nothing_and_says_so(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0})
    assert scene.data.search("  ").sections == ()


def test_export_gives_all_that_fit_uncut(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n:04}", args=["x" * 3000]): n // 100 for n in range(1200)})
    rows = list(scene.data.export("retries", q="class:app.Job"))
    assert [row.jid for row in rows] == [f"j{n:04}" for n in range(1200)]
    assert not rows[0].args.is_cut
