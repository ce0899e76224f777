"""Redis goes away under load: restarted, paused, read-only, full. Workers get over it by themselves.

No worker dies here and no lease runs out, so nothing may run twice: every job exactly once.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator

import pytest
from drill import Fleet, freeze, places, rounds, seed_of
from drill_checks import assert_balanced, assert_clean
from redis_process import RedisProcess
from worker_process import Ledger, Run, wait_until

from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.errors import PillionError, RedisRefused, RedisUnavailable
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url

pytestmark = pytest.mark.drill
Start = Callable[..., Run]

JOBS = 2000
PAUSE_S = float(os.environ.get("PILLION_DRILL_PAUSE_S", "6"))


@pytest.fixture
def fleet(pillion_run: Start, own_redis: RedisProcess, ledger: Ledger) -> Iterator[Fleet]:
    settings = RedisConfig(url=own_redis.url, timeout_s=1)
    storage = open_target(resolve_url(settings, {}), settings)
    client = Client(storage, Config())

    def start(*args: str, **options: object) -> Run:
        return pillion_run(*args, redis_url=own_redis.url, **options)

    with own_redis.client() as raw:
        yield Fleet(start, raw, ledger, client, random.Random())
    storage.close()


def error_of_a_push(fleet: Fleet) -> PillionError:
    """What a producer is told now. The job is not pushed."""
    with pytest.raises(PillionError) as caught:
        fleet.client.push({"class": "app.Work", "args": [False]})
    return caught.value


def load(fleet: Fleet) -> None:
    """Two thousand jobs, and workers in the midst of them."""
    fleet.push(JOBS)
    fleet.wait_processed(100)


def assert_over_it(fleet: Fleet) -> None:
    """Every job ran exactly once, and the next ones run too."""
    fleet.wait_drained()
    assert_balanced(fleet)
    fleet.push(50)
    fleet.wait_drained()
    assert_balanced(fleet)
    assert "died" not in fleet.own_log
    assert_clean(fleet)


def test_a_restart_does_no_harm_to_the_connections_of_others(fleet: Fleet, own_redis: RedisProcess) -> None:
    """A new Redis counts its clients from 1: the ids that workers remember are those of others now."""
    assert fleet.run.stop() == 0
    fleet.restart()  # so that its ids are not the first few, which nobody keeps
    family = fleet.run.processes
    freeze(family)
    own_redis.restart()
    others = [own_redis.client(single_connection_client=True) for _ in range(200)]
    ids = {int(other.client_id()) for other in others}
    for pid in family:
        fleet.run.signal("CONT", pid)
    fleet.reconnect()
    fleet.push(100)
    fleet.wait_drained()
    assert ids <= {int(client["id"]) for client in fleet.raw.client_list()}
    for other in others:
        other.close()


@pytest.mark.parametrize("number", rounds(default=1))
def test_restarted(number: int, fleet: Fleet, own_redis: RedisProcess) -> None:
    rng = random.Random(seed_of(number))
    load(fleet)
    for _ in range(3):
        own_redis.kill()
        error = error_of_a_push(fleet)
        own_redis.start()
        assert isinstance(error, RedisUnavailable)
        assert own_redis.socket in str(error)
        assert "Start it, or correct the Redis URL" in str(error)
        fleet.reconnect()
        fleet.wait_processed(rng.randrange(1, 200))
    assert_over_it(fleet)


@pytest.mark.parametrize("number", rounds(default=1))
def test_paused(number: int, fleet: Fleet, own_redis: RedisProcess) -> None:
    load(fleet)
    own_redis.pause()
    resume = threading.Timer(PAUSE_S, own_redis.resume)
    resume.start()
    error = error_of_a_push(fleet)
    resume.join()
    assert isinstance(error, RedisUnavailable)
    assert f"Redis at {own_redis.socket} did not answer in time" in str(error)
    fleet.wait_drained()
    # It lay in the socket of the stopped Redis, which carried it out later. The error does not deny that.
    assert fleet.learn_of_unanswered_pushes() <= 1
    assert_over_it(fleet)


def test_made_read_only(fleet: Fleet, own_redis: RedisProcess) -> None:
    load(fleet)
    fleet.raw.replicaof("127.0.0.1", 1)
    error = error_of_a_push(fleet)
    wait_until(lambda: "it is a replica" in fleet.own_log, "the workers to notice", lambda: fleet.own_log)
    fleet.raw.replicaof("NO", "ONE")
    assert isinstance(error, RedisRefused)
    assert f"Redis at {own_redis.socket} refused: it is a replica. Connect to the primary" in str(error)
    assert_over_it(fleet)


def test_made_full(fleet: Fleet, own_redis: RedisProcess) -> None:
    load(fleet)
    own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
    error = error_of_a_push(fleet)
    assert isinstance(error, RedisRefused)
    assert f"Redis at {own_redis.socket} refused: its memory is full. Raise maxmemory" in str(error)
    fleet.wait_drained()  # also while it is full: working is what makes room
    own_redis.config_set(maxmemory=0)
    assert places(fleet.raw) == []
    assert_over_it(fleet)
