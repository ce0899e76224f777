"""The counters of both languages are the same keys, and add up (wire-format 6)."""

import time
from datetime import UTC, date, datetime

from pillion.api.history import History
from pillion.api.stats import Stats

BY_RUBY, BY_PILLION = 12, 9
FAILED_BY_RUBY, FAILED_BY_PILLION = 3, 2


def push_all(both):
    """Jobs for each language, some of which fail."""
    for queue, good, bad in (
        ("ruby", BY_RUBY - FAILED_BY_RUBY, FAILED_BY_RUBY),
        ("python", BY_PILLION - FAILED_BY_PILLION, FAILED_BY_PILLION),
    ):
        for n in range(good):
            both.push("Echo", n, queue=queue)
        for n in range(bad):
            both.ruby.push("Flaky", f"never-{n}", queue=queue)


def test_processed_and_failed_add_up_over_both_languages(both):
    first_day = datetime.now(UTC).date()
    push_all(both)
    both.start_ruby("ruby")
    both.start_pillion("python")
    processed, failed = BY_RUBY + BY_PILLION, FAILED_BY_RUBY + FAILED_BY_PILLION
    both.wait_until(lambda: Stats(fleet=both.api).processed() == processed, "all counted")

    seen = Stats(fleet=both.api).read()
    assert (seen.processed, seen.failed, seen.retry, seen.dead, seen.enqueued) == (processed, failed, failed, 0, 0)
    shown = "now = Sidekiq::Stats.new; [now.processed, now.failed, now.retry_size, now.dead_size, now.enqueued]"
    assert both.ruby(shown) == [processed, failed, failed, 0, 0]
    assert [len(both.ledger.events("ran")), len(both.ledger.events("failed"))] == [processed - failed, failed]

    days = {first_day, datetime.now(UTC).date()}  # midnight may have passed
    history = History(5, fleet=both.api).read()
    assert sum(history.processed[day] for day in days) == processed
    assert sum(history.failed[day] for day in days) == failed


def test_the_history_of_each_day_is_equal_on_both_sides(both):
    for back, day in enumerate(("2026-03-01", "2026-02-28", "2026-02-26")):
        both.raw.mset({f"stat:processed:{day}": 100 + back, f"stat:failed:{day}": back})
    both.raw.expire("stat:processed:2026-03-01", 10_000)
    start = date(2026, 3, 1)
    pillion = History(5, start, fleet=both.api).read()
    ask = "past = Sidekiq::Stats::History.new(5, Date.parse(start)); [past.processed, past.failed]"
    ruby = both.ruby(ask, start=start.isoformat())
    mine = [{day.isoformat(): count for day, count in one.items()} for one in (pillion.processed, pillion.failed)]
    assert mine == ruby
    assert list(ruby[0].values()) == [100, 101, 0, 102, 0]


def test_sizes_and_queues_are_the_same_on_both_sides(both):
    for n in range(5):
        both.push("Echo", n, queue="python")
        both.ruby.push("Echo", n, queue="ruby")
    both.push("Echo", at=time.time() + 1e6)
    ruby = both.ruby("now = Sidekiq::Stats.new; [now.queues, now.enqueued, now.scheduled_size]")
    stats = Stats(fleet=both.api)
    assert [stats.queues(), stats.enqueued(), stats.scheduled()] == ruby == [{"python": 5, "ruby": 5}, 10, 1]


def test_a_reset_by_either_is_one_for_both(both):
    both.raw.mset({"stat:processed": 7, "stat:failed": 3})
    both.ruby("Sidekiq::Stats.new.reset('failed')")
    assert (Stats(fleet=both.api).processed(), Stats(fleet=both.api).failed()) == (7, 0)
    Stats(fleet=both.api).reset()
    assert both.ruby("Sidekiq::Stats.new.processed") == 0


def test_the_counters_of_a_day_live_as_long_whoever_counted_last(both):
    both.push("Echo", queue="python")
    both.start_pillion("python")
    both.wait_until(lambda: both.raw.keys("stat:processed:*"), "a count")
    (key,) = both.raw.keys("stat:processed:*")
    by_pillion_s = both.raw.ttl(key)
    both.raw.persist(key)
    both.push("Echo", queue="ruby")
    both.start_ruby("ruby")
    both.wait_until(lambda: int(both.raw.get("stat:processed") or 0) == 2, "a count of Ruby")
    assert abs(both.raw.ttl(both.raw.keys("stat:processed:*")[0]) - by_pillion_s) < 100
