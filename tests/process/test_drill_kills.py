"""Kill -9 and TERM under load: nothing lost, nothing twice without a reason, every run counted once.

make chaos                                      one round of each
PILLION_DRILL_ROUNDS=20 make chaos              twenty
PILLION_DRILL_SEED=... PILLION_DRILL_ROUNDS=1   a round again
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import redis
from drill import Fleet, balance, places, rounds, seed_of
from worker_process import Ledger, Run, wait_until

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


def assert_clean(fleet: Fleet, raw: redis.Redis) -> None:
    """Nothing is left of the dead, and after a stop nothing of the living."""
    living = {name.encode() for name in fleet.run.identities if int(name.split(":")[1]) in fleet.run.workers}
    wait_until(
        lambda: set(raw.hkeys("pl:owners")) == living,  # type: ignore[arg-type]
        "the dead to be struck off",
        lambda: f"{living}\n{raw.hkeys('pl:owners')}\n{fleet.own_log}",
    )
    assert {*raw.scan_iter("pl:alive:*")} == {b"pl:alive:" + name for name in living}
    assert fleet.run.stop() == 0
    assert [*raw.scan_iter("{queue:*}:*"), *raw.scan_iter("pl:alive:*"), *raw.scan_iter("pl:owners")] == []
    assert places(raw) == []


def assert_balanced(fleet: Fleet) -> None:
    """Each job ran to its end, and each settled run was counted once, in total and by day."""
    result = balance(fleet)
    print(result)
    assert result.lost == 0, result
    assert result.unexplained == [], result
    days = [
        sum(int(fleet.raw.get(key) or 0) for key in fleet.raw.scan_iter(f"stat:{what}:*"))
        for what in ("processed", "failed")
    ]
    assert [fleet.processed, fleet.failed] == [result.jobs + result.failed, result.failed]
    assert days == [fleet.processed, fleet.failed]


@pytest.mark.parametrize("number", rounds(default=2))
def test_killed_again_and_again(
    number: int, pillion_run: Start, raw: redis.Redis, ledger: Ledger, client: Client
) -> None:
    rng = random.Random(seed_of(number))
    fleet = Fleet(pillion_run, raw, ledger, client, rng)
    for _ in range(KILLS):
        fleet.push(PORTION)
        fleet.wait_processed(rng.randrange(1, PORTION // 2))
        rng.choices([kill_a_worker, kill_the_family, kill_the_supervisor], weights=[4, 2, 1])[0](fleet)
    fleet.push(PORTION)
    fleet.wait_drained()
    assert_balanced(fleet)
    assert_clean(fleet, raw)


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
    assert_clean(fleet, raw)
