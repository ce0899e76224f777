"""Jobs that were in flight at two deaths run alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis
from engine import Engine, payload, until
from services import GONE, ReaperScene, Watch, hold, job, list_owner

from pillion.errors import RedisUnavailable
from pillion.server import caution as module
from pillion.server.slot import Slot
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.sync import Storage

CROWD = 40


@pytest.fixture
def engine(storage: Storage) -> Iterator[Engine]:
    engine = Engine(storage)
    yield engine
    engine.stop()


def suspect(raw: redis.Redis, jid: str) -> bytes:
    raw.set(f"pl:recovered:{jid}", 2)
    raw.sadd("pl:suspects", jid)
    return payload("Suspect", jid=jid)


def short(n: int) -> bytes:
    return payload("Short", n, jid=f"{n:024d}")


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(module, "CAUTIOUS_S", seconds)


def warned(engine: Engine) -> None:
    """As by a supervisor whose other worker has just died."""
    assert engine.manager is not None
    engine.manager._caution.warn()


# -- the list --------------------------------------------------------------------------------------


def test_the_second_recovery_makes_a_suspect_and_the_burial_ends_it(storage: Storage, raw: redis.Redis) -> None:
    scene = ReaperScene(storage)
    listed = []
    for _ in range(3):
        list_owner(raw)
        hold(raw, job("killer"))
        scene.reaper.recover(GONE)
        listed.append(raw.smembers("pl:suspects"))
        raw.delete("queue:default")
    assert listed == [set(), {b"killer"}, set()]
    assert raw.zcard("dead") == 1


def test_the_list_is_forgotten_with_the_recoveries(storage: Storage, raw: redis.Redis) -> None:
    raw.set("pl:recovered:killer", 1)
    list_owner(raw)
    hold(raw, job("killer"))
    ReaperScene(storage).reaper.recover(GONE)
    assert 72 * 3600 - 10 <= raw.ttl("pl:suspects") <= 72 * 3600


# -- alone -----------------------------------------------------------------------------------------


def test_suspects_never_run_beside_others(engine: Engine, raw: redis.Redis) -> None:
    """Wherever they stand in the queue, and long after the process has begun."""
    seen: list[tuple[int, int]] = []

    def look() -> None:
        for _ in range(5):
            assert engine.manager is not None
            seen.append((engine.manager.busy(), raw.hlen(engine.inflight())))
            time.sleep(0.01)  # for as long as it runs others must not start

    engine.job("Suspect", look)
    engine.job("Short", lambda n: time.sleep(0.01))  # so that several run at once
    engine.start()
    crowd = [short(n) for n in range(CROWD)]
    killers = [suspect(raw, f"killer-{n}") for n in range(3)]
    warned(engine)
    raw.lpush("queue:default", *crowd[:15], killers[0], *crowd[15:20], killers[1], killers[2], *crowd[20:])
    until(lambda: raw.get("stat:processed") == b"%d" % (CROWD + 3))
    running, held = zip(*seen, strict=True)
    assert set(running) == {1}
    assert min(held) <= 1, "what was taken meanwhile went back"  # 0: it lies in the private list for a moment
    assert not raw.exists("pl:suspects"), "they have ended, and nobody died"
    assert engine.reports == []


def test_a_job_that_was_admitted_is_seen_to_have_begun_now(engine: Engine, raw: redis.Redis) -> None:
    seen: list[int] = []

    class Watched(module.Caution):
        def admit(self, *args: Any) -> bool:
            admitted = super().admit(*args)
            assert engine.manager is not None
            seen.extend(entry.run_at for entry in engine.manager.work())  # as a heartbeat just then
            return admitted

    engine.job("Short", lambda n: None)
    engine.start(caution=Watched(engine.storage))
    warned(engine)
    raw.lpush("queue:default", short(1))
    until(lambda: raw.get("stat:processed") == b"1")
    assert seen
    assert min(seen) >= time.time() - 60


def test_others_go_back_while_a_suspect_runs(engine: Engine, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was taken with them, at once; and no thread takes one after the other only to hand it back."""
    monkeypatch.setattr("pillion.server.fetcher.HAND_BACK_AFTER_S", 60.0)  # that is not what brings them back
    monkeypatch.setattr("pillion.server.prefetch.Pace.batch", lambda self, **_: 20)
    refused: list[object] = []

    def look() -> None:
        deadline = time.monotonic() + 2
        while raw.hlen(engine.inflight()) > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        done = raw.get("stat:processed")
        time.sleep(0.2)
        left.extend((raw.hlen(engine.inflight()), raw.get("stat:processed") == done))

    left: list[int] = []
    engine.job("Suspect", look)
    engine.job("Short", lambda n: None)
    engine.start()
    assert engine.manager is not None
    hand_back = engine.manager._fetcher.hand_back
    monkeypatch.setattr(engine.manager._fetcher, "hand_back", lambda units: (refused.extend(units), hand_back(units)))
    crowd = [short(n) for n in range(1000)]
    only = suspect(raw, "killer")
    warned(engine)
    raw.lpush("queue:default", *crowd[:500], only, *crowd[500:])
    until(lambda: raw.get("stat:processed") == b"1001")
    assert left == [1, True]
    assert len(refused) <= 8, "twice for each thread that had nothing to do"


def test_others_do_not_wait_for_ever_for_a_suspect(
    engine: Engine, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 0.2)
    entered, leave = threading.Event(), threading.Event()
    engine.job("Suspect", lambda: (entered.set(), leave.wait(20)))
    engine.job("Short", lambda n: None)
    engine.start()
    first = suspect(raw, "killer")
    warned(engine)
    raw.lpush("queue:default", first)
    assert entered.wait(10)
    raw.lpush("queue:default", *[short(n) for n in range(CROWD)])
    until(lambda: raw.get("stat:processed") == b"%d" % CROWD)
    assert raw.smembers("pl:suspects") == {b"killer"}
    leave.set()
    until(lambda: not raw.exists("pl:suspects"))


def test_a_suspect_does_not_wait_for_ever_for_others(
    engine: Engine, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 0.2)
    entered, leave, ran = threading.Event(), threading.Event(), threading.Event()
    engine.job("Suspect", ran.set)
    engine.job("Long", lambda: (entered.set(), leave.wait(20)))
    engine.start()
    raw.lpush("queue:default", payload("Long"))
    assert entered.wait(10)
    last = suspect(raw, "killer")
    warned(engine)
    raw.lpush("queue:default", last)
    assert ran.wait(10)
    leave.set()


def test_a_suspect_that_waits_when_the_process_stops_goes_back(engine: Engine, raw: redis.Redis) -> None:
    entered, leave = threading.Event(), threading.Event()
    engine.job("Suspect", lambda: None)
    engine.job("Long", lambda: (entered.set(), leave.wait(20)))
    engine.start()
    raw.lpush("queue:default", payload("Long"))
    assert entered.wait(10)
    last = suspect(raw, "killer")
    warned(engine)
    raw.lpush("queue:default", last)
    until(lambda: raw.hlen(engine.inflight()) == 2)
    assert engine.manager is not None
    engine.manager.quiet()
    until(lambda: raw.lrange("queue:default", 0, -1) == [last])
    leave.set()
    engine.stop()
    assert raw.smembers("pl:suspects") == {b"killer"}
    assert not raw.exists(engine.inflight(), engine.waiting())


def test_a_suspect_that_is_interrupted_is_one_still(engine: Engine, raw: redis.Redis) -> None:
    """It has been handed back: whether it kills its process is not known yet."""
    entered = threading.Event()

    def endless() -> None:
        entered.set()
        while True:
            time.sleep(0.01)

    engine.job("Suspect", endless)
    engine.start()
    only = suspect(raw, "killer")
    warned(engine)
    raw.lpush("queue:default", only)
    assert entered.wait(10)
    engine.stop(within_s=0.1)
    assert raw.lrange("queue:default", 0, -1) == [only]
    assert raw.smembers("pl:suspects") == {b"killer"}


def test_a_job_that_became_known_as_suspect_while_it_ran_is_none_when_it_ends(engine: Engine, raw: redis.Redis) -> None:
    entered, leave = threading.Event(), threading.Event()
    engine.job("Suspect", lambda: (entered.set(), leave.wait(20)))
    engine.start()
    raw.lpush("queue:default", payload("Suspect", jid="killer"))
    assert entered.wait(10)
    suspect(raw, "killer")
    assert engine.manager is not None
    engine.manager._caution.look()
    leave.set()
    until(lambda: not raw.exists("pl:suspects"))


def test_a_suspect_does_not_wait_longer_because_another_comes(
    storage: Storage, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its time is over others may start, and the first of them may be a suspect, too."""
    patience(monkeypatch, 0.5)
    monkeypatch.setattr(module, "LOOK_S", 0.07)
    caution, stopping, waited = module.Caution(storage), threading.Event(), []
    caution.watch(module.Crew(lambda: 1, lambda: None))  # somebody is busy for ever
    units = [UnitOfWork("default", n, suspect(raw, f"killer-{n}")) for n in range(2)]
    caution.look()
    began = time.monotonic()

    def run(unit: UnitOfWork) -> None:
        slot = Slot(stopping.is_set)
        while not caution.admit(unit, slot, stopping):
            pass  # so that it is here sooner than the first looks again
        waited.append(time.monotonic() - began)

    threads = [threading.Thread(target=run, args=(unit,)) for unit in units]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert min(waited) < 0.9


def test_a_warning_that_comes_while_the_list_is_read_is_not_forgotten(storage: Storage) -> None:
    """It comes just after the reading thread has seen that there was none."""
    warner = threading.Thread(target=lambda: caution.warn())

    class Instant(float):
        def __lt__(self, other: float) -> bool:
            earlier = float(self) < other
            warner.start()
            warner.join(0.2)
            return earlier

    caution = module.Caution(storage, lambda: Instant(1000.0))
    caution.look()
    warner.join(10)
    assert caution.on


class Company:
    """A crew that is busy until somebody asks whether it is."""

    def __init__(self) -> None:
        self.asked = False

    def busy(self) -> int:
        was_asked, self.asked = self.asked, True
        return 0 if was_asked else 1


def test_a_suspect_that_came_back_a_moment_after_the_list_was_read_is_known(storage: Storage, raw: redis.Redis) -> None:
    """The warning comes before the jobs of the dead process. Others start meanwhile: the list is read too early."""
    caution, company, stopping = module.Caution(storage), Company(), threading.Event()
    caution.watch(module.Crew(company.busy, lambda: None))
    caution.warn()
    assert caution.admit(UnitOfWork("default", 1, short(1)), Slot(stopping.is_set), stopping)
    assert not company.asked
    back = UnitOfWork("default", 2, suspect(raw, "killer"))
    assert caution.admit(back, Slot(stopping.is_set), stopping)
    assert company.asked


def test_a_suspect_is_known_although_another_thread_is_still_reading(storage: Storage, raw: redis.Redis) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def run(self, op: Any) -> Any:
            entered.set()
            leave.wait(5)
            return storage.run(op)

    caution, company, stopping = module.Caution(cast("Storage", Slow())), Company(), threading.Event()
    caution.watch(module.Crew(company.busy, lambda: None))
    caution.warn()
    units = [UnitOfWork("default", 1, short(1)), UnitOfWork("default", 2, suspect(raw, "killer"))]
    threads = [threading.Thread(target=caution.admit, args=(u, Slot(stopping.is_set), stopping)) for u in units]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    threads[1].join(0.1)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert company.asked


class Alone:
    """A process with one suspect and one short job, whose clock goes when told to."""

    def __init__(self, storage: Storage, raw: redis.Redis, waits_s: float = 0.0) -> None:
        self.watch, self.stopping, self.waits_s = Watch(), threading.Event(), waits_s
        self.caution = module.Caution(storage, self.watch)
        self.caution.watch(module.Crew(self.busy, lambda: None))
        self.suspects = [UnitOfWork("default", n, suspect(raw, f"killer-{n}")) for n in range(2)]
        self.slots = [Slot(self.stopping.is_set) for _ in range(3)]

    def busy(self) -> int:
        """Somebody is, for so long."""
        waited_s, self.waits_s = self.waits_s, 0.0
        self.watch.now_s += waited_s
        return int(waited_s > 0)

    def admits(self, number: int) -> bool:
        """Whether that suspect may run; it has been alone by then."""
        return self.caution.admit(self.suspects[number], self.slots[number], self.stopping)

    def admits_others(self) -> bool:
        return self.caution.admit(UnitOfWork("default", 9, short(9)), self.slots[2], self.stopping)


@pytest.mark.parametrize(("later_s", "may_start"), [(4.9, False), (5.1, True)])
def test_others_wait_from_the_start_of_the_suspect_not_from_its_coming(
    storage: Storage, raw: redis.Redis, later_s: float, may_start: bool
) -> None:
    scene = Alone(storage, raw, waits_s=4.0)
    assert scene.admits(0)
    scene.watch.now_s += later_s
    assert scene.admits_others() is may_start


def test_when_the_suspect_has_ended_others_start(storage: Storage, raw: redis.Redis) -> None:
    scene = Alone(storage, raw)
    assert scene.admits(0)
    assert not scene.admits_others()
    scene.caution.ended(scene.suspects[0], scene.slots[0])
    assert scene.admits_others()


def test_the_end_of_one_suspect_lets_nobody_start_beside_the_next(storage: Storage, raw: redis.Redis) -> None:
    scene = Alone(storage, raw)
    assert scene.admits(0)
    scene.watch.now_s += 5.1
    assert scene.admits(1)
    scene.caution.ended(scene.suspects[0], scene.slots[0])
    assert not scene.admits_others()


def test_without_redis_what_is_at_hand_runs_and_asks_once_a_second(storage: Storage, raw: redis.Redis) -> None:
    class Away:
        asked = 0

        def run(self, op: Any) -> Any:
            self.asked += 1
            raise RedisUnavailable("away")

    scene, away = Alone(storage, raw), Away()
    scene.caution.warn()
    scene.caution._storage = cast("Storage", away)
    for _ in range(3):
        assert scene.admits_others()
        scene.watch.now_s += 0.4
    assert away.asked == 1
    scene.watch.now_s += 1
    assert scene.admits_others()
    assert away.asked == 2


def test_a_suspect_that_fails_is_none_any_more(engine: Engine, raw: redis.Redis) -> None:
    def fail() -> None:
        raise ValueError("an error of its own")

    engine.job("Suspect", fail)
    engine.start()
    only = suspect(raw, "killer")
    warned(engine)
    raw.lpush("queue:default", only)
    until(lambda: raw.zcard("retry") and not raw.exists("pl:suspects"))


def test_a_process_that_sees_no_suspects_is_cautious_no_more(
    engine: Engine, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_FOR_S", 0.05)
    engine.job("Short", lambda n: None)
    engine.start()
    assert engine.manager is not None
    warned(engine)
    assert engine.manager._caution.on
    time.sleep(0.1)  # it is time that ends it
    raw.lpush("queue:default", short(1))
    until(lambda: not engine.manager._caution.on)


def test_jobs_of_another_capsule_are_others_too(storage: Storage, raw: redis.Redis) -> None:
    caution = module.Caution(storage)
    first, second = Engine(storage, "host:1:abc"), Engine(storage, "host:1:abd")
    second.config.queues = ["other"]
    entered, leave, ran = threading.Event(), threading.Event(), threading.Event()
    first.job("Long", lambda: (entered.set(), leave.wait(20)))
    second.job("Suspect", ran.set)
    for engine in (first, second):
        engine.start(caution=caution)
    raw.lpush("queue:default", payload("Long"))
    assert entered.wait(10)
    last = suspect(raw, "killer")
    caution.warn()
    raw.lpush("queue:other", last)
    assert not ran.wait(0.5)
    leave.set()
    assert ran.wait(10)
    for engine in (first, second):
        engine.stop()
