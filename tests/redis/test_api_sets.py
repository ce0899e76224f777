"""Reading the schedule, the retry set and the dead set (behaviour 18)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from services import Watch, job

from pillion.api.filters import Filter
from pillion.api.fleet import Fleet
from pillion.api.sets import DeadSet, RetrySet, ScheduledSet
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError

NOW_S = 1795300100.5


@pytest.fixture
def fleet(redis_url: str) -> Iterator[Fleet]:
    opened = Fleet(Config(redis=RedisConfig(url=redis_url)), clock=Watch(NOW_S))
    yield opened
    opened.close()


@pytest.fixture
def retry(fleet: Fleet) -> RetrySet:
    return RetrySet(fleet=fleet)


def fill(raw: redis.Redis, count: int, **fields: Any) -> list[str]:
    """Jobs j0000, j0001 ..., due one second after the other; their jids."""
    names = [f"j{n:04}" for n in range(count)]
    raw.zadd("retry", {job(jid, **fields): NOW_S + n for n, jid in enumerate(names)})
    return names


def jids(entries: Any) -> list[str]:
    return [entry.jid for entry in entries]


@pytest.mark.parametrize(("kind", "key"), [(ScheduledSet, "schedule"), (RetrySet, "retry"), (DeadSet, "dead")])
def test_each_set_reads_its_own_key(fleet: Fleet, raw: redis.Redis, kind: Any, key: str) -> None:
    raw.zadd(key, {job("a"): 5.25})
    (entry,) = kind(fleet=fleet)
    assert (entry.jid, entry.score, entry.at, entry.id, entry.set_name) == (
        "a",
        5.25,
        datetime(1970, 1, 1, 0, 0, 5, 250_000, UTC),
        "5.25|a",
        key,
    )
    assert kind(fleet=fleet).size() == 1


def test_the_latest_time_comes_first_unless_asked_otherwise(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 120)
    assert jids(retry) == names[::-1]
    assert jids(retry.each(order="asc")) == names


def test_entries_may_be_deleted_while_they_are_met(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 120)
    met = [entry.jid for entry in retry if entry.delete()]
    assert met == names[::-1]
    assert raw.zcard("retry") == 0


def test_an_empty_set_is_empty(retry: RetrySet) -> None:
    page = retry.page()
    assert (list(retry), page.entries, page.cursor, retry.size()) == ([], [], None, 0)
    assert retry.find_job("a") is None
    assert retry.fetch(5.0) == list(retry.scan("a")) == []


def test_an_unreadable_entry_is_shown_as_it_is(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {b"no json \xff": 1, b"[1]": 2, b"5": 3})
    entries = list(retry)
    assert [entry.value for entry in entries] == [b"5", b"[1]", b"no json \xff"]
    assert [(entry.jid, entry.job_class, entry.is_readable) for entry in entries] == [("", "", False)] * 3
    assert entries[2].args == ["no json \ufffd"]


# -- pages -----------------------------------------------------------------------------------------


def test_pages_follow_each_other_by_their_cursors(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 60)
    first = retry.page(size=25)
    second = retry.page(first.cursor, size=25)
    third = retry.page(second.cursor, size=25)
    assert jids([*first, *second, *third]) == names[::-1]
    assert (len(first), len(second), len(third), third.cursor) == (25, 25, 10, None)


def test_a_page_that_ends_with_the_set_says_so(retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 50)
    assert retry.page(retry.page(size=25).cursor, size=25).cursor is None


def test_the_next_page_is_right_though_the_first_was_deleted_and_others_came(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 60)
    first = retry.page(size=25)
    for entry in first:
        entry.delete()
    raw.zadd("retry", {job(f"new{n}"): NOW_S + 5000 + n for n in range(40)})
    assert jids(retry.page(first.cursor, size=25)) == names[::-1][25:50]


def test_pages_can_be_counted(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 60)
    assert jids(retry.page(size=25, skip=50)) == names[::-1][50:]
    assert jids(retry.page(size=5, skip=5, order="asc")) == names[5:10]
    assert retry.page(size=25, skip=60).entries == []
    assert retry.page(size=25, skip=6000).entries == []


def test_a_large_page_is_read_in_steps(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 700)
    assert jids(retry.page(size=700)) == names[::-1]


def test_a_page_of_huge_jobs_is_cut_at_a_megabyte(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {job(f"j{n}", args=["x" * 100_000]): n for n in range(100)})
    page = retry.page(size=100)
    assert len(page) == 25
    rest = retry.page(page.cursor, size=1000)
    assert jids(rest)[0] == "j74"


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 1001}, {"size": True}, {"skip": -1}, {"order": "up"}])
def test_an_impossible_page_is_explained(retry: RetrySet, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        retry.page(**wrong)


# -- searching -------------------------------------------------------------------------------------


def test_scan_finds_text_in_the_stored_bytes(retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 300)
    raw.zadd("retry", {job("x", args=["needle"]): 5, b"needle, no json": 6})
    assert [entry.value for entry in retry.scan("needle")] == [b"needle, no json", job("x", args=["needle"])]
    assert jids(retry.scan("j00", order="asc")) == [f"j{n:04}" for n in range(100)]


@pytest.mark.parametrize("text", ["*", "?", "[a-z]", "a*c", "\\", "[^x]", "a]", "[", "*?[]\\^"])
def test_scan_takes_patterns_literally(retry: RetrySet, raw: redis.Redis, text: str) -> None:
    raw.zadd("retry", {f"before {text} after".encode(): 1, b"abc": 2, b"plain x": 3})
    assert [entry.value for entry in retry.scan(text)] == [f"before {text} after".encode()]


@pytest.mark.parametrize("jid", ["*", "j?", "[j]0001", 'a"b', "back\\slash", "grün"])
def test_jids_with_odd_characters_are_found_and_nothing_else(retry: RetrySet, raw: redis.Redis, jid: str) -> None:
    fill(raw, 5)
    assert retry.find_job(jid) is None
    retry.schedule(NOW_S, {"class": "A", "args": [], "jid": jid})
    found = retry.find_job(jid)
    assert found is not None
    assert found.jid == jid


def test_a_jid_that_another_writer_has_escaped_is_found(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {rb'{"class":"A","jid":"gr\u00fcn\/1"}': 1})
    found = retry.find_job("grün/1")
    assert found is not None


def test_find_job_is_not_led_astray_by_a_jid_in_the_arguments(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {job("other", args=["j7"]): 1})
    assert retry.find_job("j7") is None


def test_fetch_takes_one_time_or_two(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 200)
    assert jids(retry.fetch(NOW_S + 7)) == names[7:8]
    assert jids(retry.fetch((NOW_S + 7, NOW_S + 150))) == names[7:151]
    assert jids(retry.fetch((datetime.fromtimestamp(NOW_S + 198, UTC), NOW_S + 1e6))) == names[198:]
    assert retry.fetch(NOW_S + 7.5) == []


def test_fetch_tells_those_with_one_score_apart_by_their_jid(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {job(jid): 7.5 for jid in "abc"})
    assert jids(retry.fetch(7.5)) == ["a", "b", "c"]
    assert jids(retry.fetch(7.5, "b")) == ["b"]
    assert retry.fetch(7.5, "z") == []


def test_find_goes_on_where_it_stopped(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 300)
    even = Filter(predicate=lambda entry: int(entry.jid[1:]) % 2 == 0)
    found: list[str] = []
    cursor = None
    while True:
        page = retry.find(even, limit=40, cursor=cursor)
        found += jids(page)
        assert len(page) <= 40
        cursor = page.cursor
        if cursor is None:
            break
    assert found == names[::-1][1::2]


def test_find_stops_when_its_time_is_over_and_has_always_got_further(retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 300)
    page = retry.find(Filter(jid="nobody"), budget_s=0)
    assert (page.entries, page.scanned) == ([], 25)
    assert page.cursor is not None
    assert retry.find(Filter(jid="nobody"), budget_s=60, cursor=page.cursor).scanned == 275


def test_find_looks_only_where_the_times_are(retry: RetrySet, raw: redis.Redis) -> None:
    names = fill(raw, 300)
    page = retry.find(Filter(at_from=NOW_S + 100, at_before=NOW_S + 110), order="asc")
    assert jids(page) == names[100:110]
    assert (page.scanned, page.cursor) == (10, None)


def test_the_last_match_of_the_set_ends_the_search(retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 10)
    assert retry.find(Filter(), limit=10).cursor is None
    assert retry.find(Filter(), limit=9).cursor is not None


# -- event loops -----------------------------------------------------------------------------------


def test_everything_can_be_awaited_as_well(fleet: Fleet, raw: redis.Redis) -> None:
    names = fill(raw, 120)
    retry = RetrySet(fleet=fleet)

    async def ask() -> None:
        assert await retry.size.aio() == 120
        assert [entry.jid async for entry in retry] == names[::-1]
        assert jids(await retry.page.aio(size=5)) == names[::-1][:5]
        assert [entry.jid async for entry in retry.scan.aio("j0007")] == ["j0007"]
        entry = await retry.find_job.aio("j0008")
        assert entry is not None
        assert (await entry.retry.aio()).moved == 1
        assert (await retry.retry.aio(Filter(jid=["j0009", "j0008"]))).moved == 1
        await fleet.aclose()

    asyncio.run(ask())
    assert raw.llen("queue:default") == 2


@pytest.mark.parametrize("cursor", ["1795300071.5|ab", 7, (1.0, b"x")])
def test_what_is_no_cursor_is_refused(retry: RetrySet, cursor: Any) -> None:
    for ask in (retry.page, lambda cursor: retry.find(Filter(), cursor=cursor)):
        with pytest.raises(ConfigError, match="cursor"):
            ask(cursor=cursor)


def test_a_moment_is_no_time_to_search_for(retry: RetrySet) -> None:
    with pytest.raises(ConfigError, match="budget_s"):
        retry.find(Filter(), budget_s=datetime.now(UTC))  # type: ignore[arg-type]
