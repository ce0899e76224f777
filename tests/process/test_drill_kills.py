"""Kill -9 and TERM under load: nothing lost, nothing twice without a reason, every run counted once.

make drills                                     one round of each
PILLION_DRILL_ROUNDS=20 make drills             twenty
PILLION_DRILL_SEED=... PILLION_DRILL_ROUNDS=1   a round again
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
import redis
from drill import Fleet, rounds, seed_of
from drill_checks import assert_balanced, assert_clean
from worker_process import Ledger, Run

from pillion.client import Client
from pillion.config import Config
from pillion.storage.sync import Storage

pytestmark = pytest.mark.drill
Start = Callable[..., Run]

JOBS = 2000
KILLS = 4
PORTION = JOBS // (KILLS + 1)


@pytest.fixture
def client(storage: Storage) -> Client:
    return Client(storage, Config())


def kill_a_worker(fleet: Fleet) -> None:
    """One worker; its supervisor gives its jobs to the other and replaces it."""
    ready = fleet.run.log.count(" ready: ")
    victim = fleet.rng.choice(fleet.run.workers)
    fleet.kill(victim)
    fleet.run.wait_ready(times=ready + 1)


def kill_the_family(fleet: Fleet) -> None:
    """The supervisor and all workers at once: the next to start gives the jobs back."""
    fleet.kill(*fleet.run.processes)
    fleet.restart()


def kill_the_supervisor(fleet: Fleet) -> None:
    """Its workers let their jobs end and leave."""
    fleet.kill(fleet.run.pid)
    fleet.run.wait_gone()
    fleet.restart()


@pytest.mark.parametrize("number", rounds(default=2))
def test_killed_again_and_again(
    number: int, pillion_run: Start, raw: redis.Redis, ledger: Ledger, client: Client
) -> None:
    rng = random.Random(seed_of(number))
    fleet = Fleet(pillion_run, raw, ledger, client, rng)
    for kill in range(1, KILLS + 1):
        fleet.push(PORTION)
        fleet.wait_processed(rng.randrange(1, PORTION // 2))
        rng.choices([kill_a_worker, kill_the_family, kill_the_supervisor], weights=[4, 2, 1])[0](fleet)
        if kill % 2 == 0:
            fleet.wait_drained()  # a job that is unlucky three times is dead, and rightly so
    fleet.push(PORTION)
    fleet.wait_drained()
    assert_balanced(fleet)
    assert_clean(fleet)


def stop_a_worker(fleet: Fleet) -> None:
    fleet.run.signal("TERM", fleet.rng.choice(fleet.run.workers))


def stop_the_family(fleet: Fleet) -> None:
    assert fleet.run.stop() == 0
    fleet.restart()


@pytest.mark.parametrize("number", rounds(default=1))
def test_stopped_again_and_again(
    number: int, pillion_run: Start, raw: redis.Redis, ledger: Ledger, client: Client
) -> None:
    rng = random.Random(seed_of(number))
    fleet = Fleet(pillion_run, raw, ledger, client, rng)
    for _ in range(KILLS):
        fleet.push(PORTION)
        fleet.wait_processed(rng.randrange(1, PORTION // 2))
        if rng.random() < 0.5:
            stop_a_worker(fleet)
            fleet.wait_processed(1)
        stop_the_family(fleet)
    fleet.push(PORTION)
    fleet.wait_drained()
    assert fleet.kills == []  # so nothing may have run twice
    assert_balanced(fleet)
    assert_clean(fleet)


@pytest.mark.skipif("PILLION_DRILL_SLEEP" not in os.environ, reason="takes a minute: PILLION_DRILL_SLEEP=1")
def test_a_family_that_slept_past_its_lease_harms_nothing_when_it_wakes(
    pillion_run: Start, raw: redis.Redis, ledger: Ledger, client: Client
) -> None:
    fleet = Fleet(pillion_run, raw, ledger, client, random.Random())
    sleepers, asleep = fleet.run, fleet.run.processes
    fleet.push(JOBS)
    fleet.wait_processed(100)
    fleet.put_to_sleep(*asleep)
    fleet.restart()  # others, who run the rest, and after 30 to 60 s what the sleepers hold
    fleet.wait_drained()
    for pid in asleep:
        sleepers.signal("CONT", pid)
    sleepers.wait_log("Lease lost")
    assert sleepers.stop() == 0
    assert_balanced(fleet)
    assert_clean(fleet)
