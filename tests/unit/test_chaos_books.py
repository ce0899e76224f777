"""The judge of `make chaos` can be trusted: it finds what it is there to find, and excuses only what is excused."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from chaos import diary as causes
from chaos.census import Census
from chaos.deeds import Deeds
from chaos.diary import Diary, Fate, Sleep, Trouble
from chaos.ledger import Books
from chaos.schedule import calm, plan
from chaos.support import ROOT
from chaos.verdict import Verdict, audit, judge, never_pushed

COUNTED_ONCE = {"processed": 1, "processed by day": 1, "failed": 0, "failed by day": 0}
PUSHED = "1.0 try 7 J low ChaosWork\n1.1 ok 7 J low ChaosWork\n"
RUN = "2.0 start 100 J 0 0\n2.1 end 100 J 0 0\n"
AGAIN = "5.0 start 200 J 0 0\n5.1 end 200 J 0 0\n"


class FakeRedis:
    """Answers the census with (key, payload) pairs: a text goes as it is."""

    def __init__(self, *places: tuple[str, object]) -> None:
        self._reply = [part for key, job in places for part in (key.encode(), _text(job).encode())]

    def eval(self, *_: object) -> list[bytes]:
        return self._reply


def _text(job: object) -> str:
    return job if isinstance(job, str) else json.dumps(job)


def census(*places: tuple[str, object]) -> Census:
    return Census(FakeRedis(*places))  # type: ignore[arg-type]


@pytest.fixture
def books(tmp_path: Path):
    def read(text: str) -> Books:
        (tmp_path / "python-1.txt").write_text(text)
        return Books(tmp_path)

    return read


def verdict(read: Books, *places: tuple[str, object], fates: tuple[Fate, ...] = (), counters=COUNTED_ONCE) -> Verdict:
    return judge(read, census(*places), Diary(list(fates)), dict(counters))


def test_a_job_that_ran_once_is_in_order(books):
    assert verdict(books(PUSHED + RUN)).faults == {}


def test_a_job_that_is_nowhere_is_lost(books):
    nothing = dict.fromkeys(COUNTED_ONCE, 0)
    assert list(verdict(books(PUSHED), counters=nothing).faults) == ["lost"]


def test_a_job_whose_push_did_not_return_may_be_nowhere(books):
    nothing = dict.fromkeys(COUNTED_ONCE, 0)
    assert verdict(books("1.0 try 7 J low ChaosWork\n"), counters=nothing).faults == {}


def test_a_job_in_two_places_is_found(books):
    place = {"jid": "J"}
    assert "in two places" in verdict(books(PUSHED + RUN), ("queue:low", place), ("retry", place)).faults


def test_a_second_run_without_a_reason_is_found(books):
    assert "unexplained" in verdict(books(PUSHED + RUN + AGAIN)).faults


@pytest.mark.parametrize(
    ("died_at", "excused"),
    [(2.05, True), (2.2, True), (4.0, False)],
    ids=["while it ran", "before its acknowledgement left", "long after"],
)
def test_a_second_run_is_excused_by_a_death_in_time(books, died_at, excused):
    found = verdict(books(PUSHED + RUN + AGAIN), fates=(Fate(100, causes.WORKER_KILLED, died_at, died_at),))
    assert ("unexplained" not in found.faults) is excused
    assert bool(found.repeated) is excused


def test_a_second_run_is_excused_by_a_lost_lease_and_by_a_push_sent_twice(books):
    asleep = Fate(100, causes.LEASE_LOST, 2.05, 60.0)
    assert verdict(books(PUSHED + RUN + AGAIN), fates=(asleep,)).faults == {}
    twice = "1.05 again 7 J low ChaosWork\n"
    both = {"processed": 2, "processed by day": 2, "failed": 0, "failed by day": 0}
    assert verdict(books(PUSHED + twice + RUN + AGAIN), counters=both).faults == {}


def test_another_turn_is_not_a_second_run(books):
    retried = "2.0 start 100 J 0 0\n2.1 fail 100 J 0 0\n5.0 start 200 J 1 0\n5.1 end 200 J 1 0\n"
    both = {"processed": 2, "processed by day": 2, "failed": 1, "failed by day": 1}
    assert verdict(books(PUSHED + retried), counters=both).faults == {}


@pytest.mark.parametrize("name", ["processed", "processed by day", "failed"])
def test_a_wrong_counter_is_found(books, name):
    assert list(verdict(books(PUSHED + RUN), counters=COUNTED_ONCE | {name: 5}).faults) == ["miscounted"]


def test_a_poison_pill_is_not_counted_and_not_lost(books):
    found = buried(books(PUSHED + "2.0 start 100 J 0 0\n"), deaths=3)
    assert (found.faults, found.poisoned, found.innocent) == ({}, 1, 0)


def buried(read: Books, *, deaths: int) -> Verdict:
    """J is a poison pill, and so many processes have died."""
    dead = {"jid": "J", "class": "ChaosExit", "retry_count": 0, "error_class": "pillion.errors.PoisonPill"}
    fates = tuple(Fate(100 + n, causes.WORKER_KILLED, 3.0 + n, 3.0 + n) for n in range(deaths))
    return verdict(read, ("dead", dead), fates=fates, counters=dict.fromkeys(COUNTED_ONCE, 0))


def test_a_poison_pill_takes_three_deaths_since_its_push(books):
    started = "2.0 start 100 J 0 0\n"
    assert list(buried(books(PUSHED + started), deaths=2).faults) == ["buried too soon"]
    late = PUSHED.replace("1.0", "4.5").replace("1.1", "4.6")
    assert list(buried(books(late + started), deaths=3).faults) == ["buried too soon"]


def test_an_audit_finds_a_loss_while_all_goes_on(books):
    before, after = books(PUSHED), books(PUSHED + RUN)
    assert audit(before, census(), after) == {}
    assert list(audit(before, census(), before)) == ["lost"]


def test_a_line_that_was_cut_off_is_not_read(books):
    assert len(books(PUSHED + "2.0 start 100 J 0").turns) == 0


@pytest.mark.parametrize("sentinel", [False, True])
def test_the_schedule_is_a_function_of_the_seed(sentinel):
    first = plan(7, 120, sentinel=sentinel)
    assert first == plan(7, 120, sentinel=sentinel)
    assert first != plan(8, 120, sentinel=sentinel)
    assert [event.at for event in first] == sorted(event.at for event in first)
    assert ("fail over" in {event.what for event in first}) is sentinel
    assert calm(7, 160) == calm(7, 160)


def test_the_clock_of_a_family_is_off_by_what_its_file_says_and_follows_it(tmp_path):
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("d", 45.0))
    code = (
        "import struct, sys, time\n"
        "true = lambda: time.clock_gettime(time.CLOCK_REALTIME)\n"
        "ahead = time.time() - true()\n"
        "open(sys.argv[1], 'r+b').write(struct.pack('d', -3600.0))\n"
        "print(round(ahead), round(time.time() - true()))\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "chaos" / "clock"), "CHAOS_CLOCK": str(clock)}
    done = subprocess.run([sys.executable, "-c", code, str(clock)], env=environ, capture_output=True, text=True)
    assert done.stdout.split() == ["45", "-3600"], done.stderr


def test_every_kind_of_event_has_a_deed():
    plans = [plan(seed, 300, sentinel=sentinel) for seed in range(30) for sentinel in (False, True)]
    named = {event.what for events in plans for event in events}
    assert {"step clock", "lose host", "fail over"} <= named
    assert all(hasattr(Deeds, "_" + what.replace(" ", "_")) for what in named | {event.what for event in calm(1, 240)})


def stopped_while_redis_was_away(books: Books, *, until: float) -> Verdict:
    """The worker is told to stop at 3.5, with three seconds to end; Redis is away from 2.0 on."""
    story = Diary([Fate(100, causes.STOPPED, 3.5, 3.5)], [Trouble(2.0, until)])
    return judge(books, census(), story, dict(COUNTED_ONCE))


def test_a_worker_that_had_to_leave_while_redis_was_away_may_leave_finished_jobs_unsaid(books):
    found = stopped_while_redis_was_away(books(PUSHED + RUN + AGAIN), until=30.0)
    assert found.faults == {}
    assert list(found.repeated) == [f"{causes.UNHEARD} (finished)"]


def test_a_worker_that_could_have_told_redis_before_its_deadline_has_no_excuse(books):
    assert "unexplained" in stopped_while_redis_was_away(books(PUSHED + RUN + AGAIN), until=2.2).faults


@pytest.mark.parametrize(("asleep_since", "excused"), [(2.2, True), (5.0, False)])
def test_who_sleeps_at_the_deadline_of_its_stop_may_leave_finished_jobs_unsaid(books, asleep_since, excused):
    """Its supervisor kills it then: it was told to stop at 3.5, and the run ended at 2.1."""
    story = Diary([Fate(100, causes.STOPPED, 3.5, 3.5)], [], [Sleep(100, asleep_since, 20.0)])
    found = judge(books(PUSHED + RUN + AGAIN), census(), story, dict(COUNTED_ONCE))
    assert ("unexplained" not in found.faults) is excused


def test_a_job_that_ended_long_before_redis_went_away_has_no_excuse(books):
    story = Diary([Fate(100, causes.STOPPED, 6.5, 6.5)], [Trouble(4.0, 30.0)])
    assert "unexplained" in judge(books(PUSHED + RUN + AGAIN), census(), story, dict(COUNTED_ONCE)).faults


def test_a_process_may_begin_a_job_while_it_is_being_killed(books):
    fate = Fate(100, causes.WORKER_KILLED, 1.9, 2.2)
    cut = PUSHED + "2.0 start 100 J 0 0\n" + AGAIN
    assert verdict(books(cut), fates=(fate,)).faults == {}


def test_a_job_that_a_process_began_after_its_death_has_no_excuse(books):
    fate = Fate(100, causes.WORKER_KILLED, 1.5, 1.6)
    assert "unexplained" in verdict(books(PUSHED + RUN + AGAIN), fates=(fate,)).faults


KILLED_AFTER_ITS_SLEEP = Fate(100, causes.WORKER_KILLED, 9.0, 9.0)


@pytest.mark.parametrize(
    ("trouble", "sleep", "excused"),
    [
        (Trouble(1.0, 4.0), Sleep(100, 2.5, 8.5), True),
        (Trouble(1.0, 4.0), Sleep(100, 4.5, 8.5), True),
        (Trouble(1.0, 4.0), Sleep(200, 2.5, 8.5), False),
        (Trouble(1.0, 4.0), Sleep(100, 2.5, 4.5), False),
        (Trouble(2.5, 4.0), Sleep(100, 3.5, 8.5), False),
    ],
    ids=["slept through its end", "had not got over it", "another slept", "woke long before", "had told it before"],
)
def test_who_slept_through_a_trouble_gets_over_it_when_it_is_awake(books, trouble, sleep, excused):
    """The run ended at 2.1, and its process was killed at 9.0."""
    story = Diary([KILLED_AFTER_ITS_SLEEP], [trouble], [sleep])
    found = judge(books(PUSHED + RUN + AGAIN), census(), story, dict(COUNTED_ONCE))
    assert ("unexplained" not in found.faults) is excused


@pytest.mark.parametrize(("woke", "excused"), [(8.9, True), (8.0, False)])
def test_a_moment_before_a_death_is_one_awake(books, woke, excused):
    """The run ended at 2.1, and its process fell asleep at 2.2, before it had told Redis."""
    story = Diary([KILLED_AFTER_ITS_SLEEP], [], [Sleep(100, 2.2, woke)])
    found = judge(books(PUSHED + RUN + AGAIN), census(), story, dict(COUNTED_ONCE))
    assert ("unexplained" not in found.faults) is excused


ANOTHER_ATTEMPT = "5.0 start 200 J 1 0\n5.1 end 200 J 1 0\n"
ANOTHER_GENERATION = "5.0 start 200 J 0 1\n5.1 end 200 J 0 1\n"
TWICE = {"processed": 2, "processed by day": 2, "failed": 0, "failed by day": 0}
SENT_AGAIN = "1.05 again 7 J low ChaosWork\n"


@pytest.mark.parametrize("later", [ANOTHER_ATTEMPT, ANOTHER_GENERATION])
def test_a_job_that_has_ended_does_not_run_again_as_another_turn(books, later):
    assert list(verdict(books(PUSHED + RUN + later), counters=TWICE).faults) == ["unexplained"]


def test_another_turn_is_right_where_the_end_was_never_told(books):
    """Killed before its acknowledgement; the same turn fails next time, and is retried."""
    failed = "3.0 start 200 J 0 0\n3.1 fail 200 J 0 0\n"
    fate = Fate(100, causes.WORKER_KILLED, 2.2, 2.2)
    counters = {"processed": 2, "processed by day": 2, "failed": 1, "failed by day": 1}
    found = verdict(books(PUSHED + RUN + failed + ANOTHER_ATTEMPT), fates=(fate,), counters=counters)
    assert found.faults == {}


def test_another_turn_is_right_where_the_push_was_sent_twice(books):
    assert verdict(books(PUSHED + SENT_AGAIN + RUN + ANOTHER_ATTEMPT), counters=TWICE).faults == {}


@pytest.mark.parametrize("key", ["queue:low", "retry", "dead"])
def test_a_job_that_has_ended_is_nowhere(books, key):
    assert list(verdict(books(PUSHED + RUN), (key, {"jid": "J"})).faults) == ["in two places"]


@pytest.mark.parametrize(("key", "faults"), [("retry", ["not finished"]), ("dead", [])])
def test_a_job_whose_end_was_never_told_may_only_be_dead(books, key, faults):
    fate = Fate(100, causes.WORKER_KILLED, 2.2, 2.2)
    assert list(verdict(books(PUSHED + RUN), (key, {"jid": "J"}), fates=(fate,)).faults) == faults


def test_a_text_that_is_no_job_is_to_be_among_the_dead(books):
    nothing = dict.fromkeys(COUNTED_ONCE, 0)
    name = f"{1:023d}x"
    pushed = PUSHED.replace("J", name).replace("ChaosWork", "ChaosRaw")
    assert list(verdict(books(pushed), counters=nothing).faults) == ["lost"]
    assert verdict(books(pushed), ("dead", f'{{"class":"ChaosWork","args":["{name}"'), counters=nothing).faults == {}
    assert list(verdict(books(pushed), ("retry", [name]), counters=nothing).faults) == ["not finished"]


TWO_AT_ONCE = "2.0 start 100 J 0 0\n2.05 start 100 J 0 0\n2.1 end 100 J 0 0\n2.15 end 100 J 0 0\n"


def test_a_turn_that_one_process_begins_twice_is_found_though_it_is_killed_later(books):
    fate = Fate(100, causes.WORKER_KILLED, 9.0, 9.0)
    assert list(verdict(books(PUSHED + TWO_AT_ONCE), fates=(fate,)).faults) == ["unexplained"]


@pytest.mark.parametrize(("killed_at", "excused"), [(4.0, True), (9.0, False)])
def test_a_run_that_was_cut_off_is_in_hand_until_it_is_given_back(books, killed_at, excused):
    cut = "2.0 start 100 J 0 0\n2.1 cut 100 J 0 0\n"
    fate = Fate(100, causes.WORKER_KILLED, killed_at, killed_at)
    assert ("unexplained" not in verdict(books(PUSHED + cut + AGAIN), fates=(fate,)).faults) is excused


def test_a_push_that_was_sent_twice_runs_twice_at_the_most(books):
    third = AGAIN.replace("200", "300").replace("5.", "6.")
    three = {"processed": 3, "processed by day": 3, "failed": 0, "failed by day": 0}
    found = verdict(books(PUSHED + SENT_AGAIN + RUN + AGAIN + third), counters=three)
    assert list(found.faults) == ["unexplained", "miscounted"]


@pytest.mark.parametrize(("family", "excused"), [("east", False), ("west", True), ("python", True)])
def test_a_trouble_of_the_line_excuses_those_behind_it_and_those_nobody_knows(tmp_path, family, excused):
    """Its process was killed at 4.0, in a trouble that began before the run ended at 2.1."""
    (tmp_path / "python-1.txt").write_text(PUSHED + AGAIN)
    (tmp_path / f"{family}-100.txt").write_text(RUN)
    story = Diary([Fate(100, causes.WORKER_KILLED, 4.0, 4.0)], [Trouble(1.0, 5.0, frozenset({"west"}))])
    found = judge(Books(tmp_path), census(), story, dict(COUNTED_ONCE))
    assert ("unexplained" not in found.faults) is excused


def test_a_kind_that_nobody_pushed_is_found(books):
    assert never_pushed(books(PUSHED), ("ChaosWork", "ChaosDoomed")) == ["ChaosDoomed"]
