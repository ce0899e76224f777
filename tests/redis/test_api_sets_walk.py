"""Walking through a set that changes meanwhile: what is there all the time is seen once, in order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from pillion.api.plan import Pipeline, Plan, run
from pillion.api.ranking import Bounds, Cursor, Order, Walker
from pillion.storage.ops import sets as ops
from pillion.storage.ops.sets import Scored
from pillion.storage.sync import Storage

ORDERS: list[Order] = ["asc", "desc"]


def fill(raw: redis.Redis, count: int, ties: int) -> list[Scored]:
    """`count` members, `ties` of them with one score; as Redis sorts them."""
    entries = [Scored(1000.0 + n // ties, b"m%06d" % (n * 7919 % count)) for n in range(count)]
    raw.zadd("retry", {entry.member: entry.score for entry in entries})
    return sorted(entries)


class Tampering:
    """A storage on which something else happens before each round trip."""

    def __init__(self, storage: Storage, tamper: Callable[[], None]) -> None:
        self._storage, self._tamper = storage, tamper
        self.trips = 0

    def run(self, op: Any) -> Any:
        self.trips += 1
        self._tamper()
        return self._storage.run(op)

    def run_all(self, ops: Any) -> Any:
        self.trips += 1
        self._tamper()
        return self._storage.run_all(ops)

    transaction = run_all


def pages(walker: Walker, storage: Any, size: int = 10) -> Iterator[list[Scored]]:
    while not walker.finished:
        yield run(walker.next(size), storage)


def walked(storage: Any, order: Order, size: int = 10, **options: Any) -> list[Scored]:
    return [scored for page in pages(Walker("retry", order, **options), storage, size) for scored in page]


def ordered(entries: list[Scored], order: Order) -> list[Scored]:
    return sorted(entries, reverse=order == "desc")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ties", [1, 7, 5000])
def test_a_set_that_stays_as_it_is_is_read_in_one_trip_a_page(
    storage: Storage, raw: redis.Redis, order: Order, ties: int
) -> None:
    entries = fill(raw, 500, ties)
    counted = Tampering(storage, lambda: None)
    assert walked(counted, order, 100) == ordered(entries, order)
    assert counted.trips == 6  # 25, 4 x 100, 75


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ties", [1, 7, 5000])
@pytest.mark.parametrize("seed", range(2))
def test_what_is_there_all_the_time_is_seen_once_while_others_come_and_go(
    storage: Storage, raw: redis.Redis, order: Order, ties: int, seed: int
) -> None:
    rng = random.Random(seed)
    entries = fill(raw, 600, ties)
    stay = set(rng.sample(entries, 200))
    others = [entry for entry in entries if entry not in stay]

    def tamper() -> None:
        for entry in rng.sample(others, 60):
            if rng.random() < 0.5:
                raw.zrem("retry", entry.member)
            else:
                raw.zadd("retry", {entry.member: entry.score})

    seen = walked(Tampering(storage, tamper), order)
    assert len(seen) == len(set(seen))
    assert seen == ordered(seen, order)
    assert [entry for entry in seen if entry in stay] == ordered(list(stay), order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ties", [1, 7, 5000])
def test_what_was_passed_may_all_be_removed(storage: Storage, raw: redis.Redis, order: Order, ties: int) -> None:
    entries = fill(raw, 500, ties)
    seen: list[Scored] = []
    for page in pages(Walker("retry", order), storage):
        seen += page
        raw.zrem("retry", *(scored.member for scored in page))
    assert seen == ordered(entries, order)


@pytest.mark.parametrize("order", ORDERS)
def test_many_may_be_added_before_the_place_without_being_seen(
    storage: Storage, raw: redis.Redis, order: Order
) -> None:
    entries = fill(raw, 60, 1)
    walker = Walker("retry", order)
    seen = run(walker.next(20), storage)
    early = 1.0 if order == "asc" else 9000.0
    raw.zadd("retry", {f"new{n}": early for n in range(3000)})
    seen += [scored for page in pages(walker, storage) for scored in page]
    assert seen == ordered(entries, order)


@pytest.mark.parametrize("order", ORDERS)
def test_an_anchor_that_got_another_score_does_not_move_the_place(
    storage: Storage, raw: redis.Redis, order: Order
) -> None:
    entries = fill(raw, 100, 1)
    walker = Walker("retry", order)
    first = run(walker.next(20), storage)
    raw.zadd("retry", {first[-1].member: 1.0 if order == "desc" else 9000.0, first[0].member: 1050.0})
    walker.lose_rank()
    rest = [scored for page in pages(walker, storage) for scored in page]
    assert [scored for scored in rest if scored in entries] == ordered(entries, order)[20:]


@pytest.mark.parametrize("order", ORDERS)
def test_the_place_of_an_anchor_that_is_gone_is_found_among_equals_in_few_trips(
    storage: Storage, raw: redis.Redis, order: Order
) -> None:
    entries = ordered(fill(raw, 20_000, 20_000), order)
    raw.zrem("retry", entries[12_345].member)
    counted = Tampering(storage, lambda: None)
    walker = Walker("retry", order, Cursor(*entries[12_345]))
    assert run(walker.next(10), counted) == entries[12_346:12_356]
    assert counted.trips <= 7


@pytest.mark.parametrize("order", ORDERS)
def test_a_cursor_with_a_wrong_rank_still_leads_to_its_place(storage: Storage, raw: redis.Redis, order: Order) -> None:
    entries = ordered(fill(raw, 200, 3), order)
    for rank in (0, 1, 50, 199, 200, 5000, None):
        walker = Walker("retry", order, Cursor(entries[99].score, entries[99].member, rank))
        assert run(walker.next(10), storage) == entries[100:110]


def test_a_set_that_is_emptied_meanwhile_ends_the_walk(storage: Storage, raw: redis.Redis) -> None:
    fill(raw, 100, 3)
    walker = Walker("retry", "desc")
    run(walker.next(10), storage)
    raw.delete("retry")
    assert run(walker.next(10), storage) == []
    assert walker.finished


def test_an_empty_set_has_no_pages(storage: Storage) -> None:
    assert walked(storage, "asc") == []


@pytest.mark.parametrize("order", ORDERS)
def test_infinite_scores_are_walked_too(storage: Storage, raw: redis.Redis, order: Order) -> None:
    entries = [Scored(float(score), b"%d" % n) for n, score in enumerate(["-inf", "-inf", 5, "inf", "inf"])]
    raw.zadd("retry", {entry.member: entry.score for entry in entries})
    walker = Walker("retry", order)
    seen: list[Scored] = []
    while not walker.finished:
        seen += run(walker.next(1), storage)
        walker.lose_rank()
    assert seen == ordered(entries, order)


def test_pages_shrink_to_about_a_megabyte(storage: Storage, raw: redis.Redis) -> None:
    raw.zadd("retry", {b"%04d" % n + b"x" * 20_000: n for n in range(400)})
    sizes = [len(page) for page in pages(Walker("retry", "asc"), storage, 1000)]
    assert sizes[:3] == [25, 49, 49]


def test_pages_of_small_entries_grow_to_a_thousand(storage: Storage, raw: redis.Redis) -> None:
    fill(raw, 3000, 1)
    sizes = [len(page) for page in pages(Walker("retry", "asc"), storage, 1000)]
    assert sizes == [25, 200, 1000, 1000, 775]


@pytest.mark.parametrize("text", [b"*", b"?", b"[a-z]", b"a*c", b"\\", b"[^x]", b"a]", b"["])
def test_a_scan_by_redis_takes_patterns_literally(storage: Storage, raw: redis.Redis, text: bytes) -> None:
    raw.zadd("retry", {b"before " + text + b" after": 1, b"abc": 2, b"plain x": 3})
    assert storage.run(ops.scan("retry", 0, text, 100)) == (0, [Scored(1.0, b"before " + text + b" after")])


def test_steps_are_never_pipelines_of_writes(storage: Storage, raw: redis.Redis) -> None:
    """A walk only reads, also where it has to search."""
    fill(raw, 300, 300)
    plan: Plan[Any] = Walker("retry", "asc", Cursor(1000.0, b"m000100x")).next(10)
    names: set[Any] = set()
    step = next(plan)
    try:
        while True:
            asked = step.ops if isinstance(step, Pipeline) else [step]
            names |= {op.args[0] for op in asked}
            replies = storage.run_all(asked)
            step = plan.send(replies if isinstance(step, Pipeline) else replies[0])
    except StopIteration:
        pass
    assert names == {"ZRANK", "ZSCORE", "ZCOUNT", "ZRANGE"}


@pytest.mark.parametrize("order", ORDERS)
def test_a_cursor_from_before_the_bounds_begins_at_the_bounds(storage: Storage, raw: redis.Redis, order: Order) -> None:
    entries = fill(raw, 500, 1)
    walker = Walker("retry", order)
    run(walker.next(3), storage)
    bounds = Bounds(1100.0, 1120.0)
    inside = ordered([entry for entry in entries if entry.score in bounds], order)
    assert len(inside) == 21
    assert walked(storage, order, cursor=walker.cursor, bounds=bounds) == inside
    beyond = inside[10]
    assert walked(storage, order, cursor=Cursor(*beyond), bounds=bounds) == inside[11:]
