"""When owners count as dead: the leases that a watch is shown, and the clock it goes by."""

from __future__ import annotations

from pillion.server.lease_watch import LATE_S, RENEW_EVERY_S, SECOND_LOOK_S, LeaseWatch
from pillion.server.reaper import SWEEP_EVERY_S, SWEEP_JITTER_S
from pillion.wire import keys

LEASE_S = float(keys.ALIVE_TTL_S)


class Scene:
    """A watch and its clock."""

    def __init__(self, *, trusted: bool = True) -> None:
        self.now_s = 1000.0
        self.watch = LeaseWatch(lambda: self.now_s)
        if trusted:
            self.wait(LEASE_S)

    def wait(self, seconds: float) -> None:
        """Time goes by, with Redis answering every second."""
        end = self.now_s + seconds
        while self.now_s < end:
            self.now_s = min(end, self.now_s + 1.0)
            self.watch.in_touch()

    def look(self, left_s: float) -> bool:
        """Whether an owner counts as dead whose lease runs for so long still."""
        return self.watch.look({"gone": left_s}) == ["gone"]


def test_a_death_is_known_the_moment_the_lease_ends() -> None:
    scene = Scene()
    assert not scene.look(15.0)
    wait_s = scene.watch.next_look_s()
    assert wait_s is not None
    assert 15.0 < wait_s < 15.2
    scene.wait(wait_s)
    assert scene.look(0.0)


def test_a_death_is_known_within_35_seconds_whenever_the_sweeps_come() -> None:
    """Death right after a renewal, the worst case; a watch that sweeps at the longest pause."""
    for first_look_s in range(int(SWEEP_EVERY_S + SWEEP_JITTER_S)):
        scene, died_s = Scene(), 0.0
        scene.wait(first_look_s)
        age_s = float(first_look_s) - died_s
        while not scene.look(max(0.0, LEASE_S - age_s)):
            pause_s = min(SWEEP_EVERY_S + SWEEP_JITTER_S, scene.watch.next_look_s() or LEASE_S)
            scene.wait(pause_s)
            age_s += pause_s
        assert LEASE_S <= age_s < LEASE_S + 0.2


def test_a_lease_that_is_renewed_is_forgotten() -> None:
    scene = Scene()
    scene.look(1.0)
    scene.look(LEASE_S)
    scene.wait(SECOND_LOOK_S)
    assert not scene.look(0.0), "a first look again"
    assert scene.watch.suspects == {"gone"}


def test_one_renewal_missed_is_nothing() -> None:
    scene = Scene()
    assert not scene.look(LEASE_S - LATE_S)
    assert scene.watch.suspects == set()
    assert scene.watch.next_look_s() is None


def test_leases_that_all_vanish_at_once_are_given_the_time_of_a_renewal() -> None:
    """The clock of Redis jumped, or a snapshot was restored: the living begin them anew."""
    scene = Scene()
    assert not scene.look(0.0)
    scene.wait(RENEW_EVERY_S)
    assert not scene.look(0.0)
    scene.wait(SECOND_LOOK_S - RENEW_EVERY_S)
    assert scene.look(0.0)


def test_after_an_outage_leases_are_believed_after_a_lease_time() -> None:
    scene = Scene()
    scene.look(10.0)
    scene.watch.distrust()
    assert scene.watch.suspects == set()
    assert not scene.look(0.0)
    assert scene.watch.next_look_s() == LEASE_S
    scene.wait(LEASE_S - 0.1)
    assert not scene.look(0.0)
    scene.wait(0.1)
    assert scene.look(0.0)


def test_a_watch_that_was_suspended_knows_nothing_of_what_happened_to_redis_meanwhile() -> None:
    scene = Scene()
    scene.look(10.0)
    scene.now_s += LEASE_S + 1
    assert not scene.look(0.0)
    scene.wait(LEASE_S - 1)
    assert not scene.look(0.0)
    scene.wait(1)
    assert scene.look(0.0)


def test_a_lease_without_an_end_runs() -> None:
    scene = Scene()
    assert not scene.look(float("inf"))
    assert scene.watch.suspects == set()


def test_who_has_gone_is_no_suspect_any_more() -> None:
    scene = Scene()
    scene.look(0.0)
    scene.watch.look({})
    assert scene.watch.suspects == set()
    assert scene.watch.next_look_s() is None
