"""The judge of `make chaos` looks at what is left of processes, and at who pushes: see test_chaos_books.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from chaos.remains import left_behind
from chaos.world import World

ME = "host:100:0a1b2c3d4e5f"


class FakeRedis:
    """Keys, each with its TTL in seconds; the list of processes; who holds the scheduler's lock; owners."""

    def __init__(self, ttls: dict[str, int], *, listed: str = "", holder: str | None = None, owner: str = "") -> None:
        self._ttls, self._listed, self._holder, self._owner = ttls, listed, holder, owner

    def keys(self, _: str) -> list[bytes]:
        return [name.encode() for name in self._ttls]

    def ttl(self, name: str) -> int:
        return self._ttls.get(name, -1)

    def hgetall(self, _: str) -> dict[bytes, bytes]:
        return {self._owner.encode(): b"{}"} if self._owner else {}

    def smembers(self, _: str) -> set[bytes]:
        return {self._listed.encode()} if self._listed else set()

    def get(self, _: str) -> bytes | None:
        return self._holder.encode() if self._holder else None


def test_a_record_that_ends_by_itself_may_be_left():
    assert left_behind(FakeRedis({ME: 60, "stat:processed": -1, "queues": -1}), orderly={100}) == []


@pytest.mark.parametrize("what", ["", ":work", "-signals"])
def test_nothing_of_a_process_is_there_for_ever(what):
    redis = FakeRedis({ME + what: -1})
    assert left_behind(redis) == [f"{ME}{what} without an expiry"]
    assert left_behind(redis, foreign={100}) == []


def test_who_stopped_in_order_says_no_more_that_it_works():
    redis = FakeRedis({f"{ME}:work": 50})
    assert left_behind(redis, orderly={100}) == [f"{ME}:work"]
    assert left_behind(redis) == []


def test_only_the_killed_may_be_left_in_the_list_of_processes():
    redis = FakeRedis({}, listed=ME)
    assert left_behind(redis, killed={200}) == [f"processes {ME}"]
    assert left_behind(redis, killed={100}) == []


@pytest.mark.parametrize(("ttl", "orderly", "fine"), [(9, {200}, True), (9, {100}, False), (-1, {200}, False)])
def test_the_lock_of_the_scheduler_may_be_left_by_the_killed_for_its_lease(ttl, orderly, fine):
    redis = FakeRedis({"pl:scheduler": ttl}, holder=ME)
    assert left_behind(redis, orderly=orderly) == ([] if fine else [f"pl:scheduler {ME}"])


def test_nobody_owns_anything():
    held = ["{queue:low}:inflight:" + ME, f"pl:alive:{ME}"]
    assert left_behind(FakeRedis(dict.fromkeys(held, 9), owner=ME)) == [*held, f"pl:owners {ME}"]


@pytest.mark.parametrize(
    ("code", "ended"), [("raise SystemExit('enough')", True), ("import time; time.sleep(600)", False)]
)
def test_a_producer_that_ended_by_itself_is_told_of(tmp_path, code, ended):
    world = World(tmp_path, None, 1)
    with (tmp_path / "producer-sync.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    world.producers["sync"] = process
    if ended:
        process.wait(30)
    world.kill_producer("sync")
    assert world.ended_producers == (["sync, exit code 1: enough\n"] if ended else [])
