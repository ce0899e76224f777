"""Names of Redis keys: Sidekiq's own, and ours beside them (wire-format 1)."""

from __future__ import annotations

from datetime import date

from pillion.wire import keys

IDENTITY = "web-1:4711:0f2e4d6c8a1b"


def test_sidekiqs_fixed_keys_have_their_bare_names() -> None:
    fixed = [keys.QUEUES, keys.SCHEDULE, keys.RETRY, keys.DEAD, keys.PROCESSES, keys.PROCESS_CLEANUP]
    assert fixed == ["queues", "schedule", "retry", "dead", "processes", "process_cleanup"]


def test_keys_of_a_queue() -> None:
    assert keys.queue("mail") == "queue:mail"
    assert keys.inflight("mail", IDENTITY) == f"{{queue:mail}}:inflight:{IDENTITY}"
    assert keys.waiting("mail", IDENTITY) == f"{{queue:mail}}:wait:{IDENTITY}"


def test_our_keys_of_a_queue_hash_to_the_slot_of_the_queue() -> None:
    # Redis Cluster hashes what stands in the first braces, if there are any.
    for key in (keys.inflight("mail", IDENTITY), keys.waiting("mail", IDENTITY)):
        assert key[key.index("{") + 1 : key.index("}")] == keys.queue("mail")


def test_keys_of_a_process() -> None:
    assert keys.process(IDENTITY) == IDENTITY
    assert keys.work(IDENTITY) == f"{IDENTITY}:work"
    assert keys.signals(IDENTITY) == f"{IDENTITY}-signals"
    assert keys.alive(IDENTITY) == f"pl:alive:{IDENTITY}"


def test_our_other_keys_start_with_pl() -> None:
    assert [keys.OWNERS, keys.SCHEDULER_LOCK, keys.SCHEDULER_WAKE] == ["pl:owners", "pl:scheduler", "pl:scheduler:wake"]
    assert keys.recoveries("c9f6793beefe481e912ac3a7") == "pl:recovered:c9f6793beefe481e912ac3a7"


def test_counters_of_a_day_carry_its_date_with_leading_zeros() -> None:
    assert keys.stat_day(keys.STAT_PROCESSED, date(2026, 1, 9)) == "stat:processed:2026-01-09"
    assert keys.stat_day(keys.STAT_FAILED, date(2026, 11, 21)) == "stat:failed:2026-11-21"


def test_lifetimes_are_sidekiqs() -> None:
    assert keys.STAT_TTL_S == 5 * 365 * 24 * 3600
    assert (keys.PROCESS_TTL_S, keys.SIGNAL_TTL_S) == (60, 60)
