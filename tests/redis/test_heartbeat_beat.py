"""One beat of a process (behaviour 9, wire-format 7)."""

from __future__ import annotations

import itertools
import json
import logging
import re
import time
from typing import Any

import pytest
import redis
from engine import until
from redis_process import RedisProcess
from services import ME, Reports, Watch, soon

from pillion.config import Config, Event, RedisConfig
from pillion.server.heartbeat import Heartbeat
from pillion.server.slot import WorkEntry
from pillion.storage.connect import open_target
from pillion.storage.prune import prune_processes
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url

PAYLOAD = b'{"class":"A","args":[],"jid":"j1"}'


class Scene:
    """A heartbeat, and everything it tells others."""

    def __init__(self, storage: Storage, *, embedded: bool = False, perf: Any = None) -> None:
        self.config = Config(tag="shop", concurrency=3)
        self.reports = Reports(self.config)
        self.running: list[WorkEntry] = []
        self.is_quiet = False
        self.events: list[Event] = []
        self.signals: list[str] = []
        self.audited = 0
        options: dict[str, Any] = {"perf": perf} if perf else {}
        self.heartbeat = Heartbeat(
            storage,
            self.config,
            ME,
            self.reports,
            work=lambda: self.running,
            is_quiet=lambda: self.is_quiet,
            fire=self.events.append,
            on_signal=self.signals.append,
            audits=[self._audit],
            embedded=embedded,
            clock=Watch(1795300080.900098),
            **options,
        )

    def _audit(self) -> None:
        self.audited += 1

    def beat(self) -> None:
        self.heartbeat.beat()


@pytest.fixture
def scene(storage: Storage) -> Scene:
    return Scene(storage)


# -- the record ------------------------------------------------------------------------------------


def test_a_beat_writes_the_record(scene: Scene, raw: redis.Redis) -> None:
    scene.beat()
    fields = raw.hgetall(ME)
    assert fields[b"concurrency"] == b"3"
    assert fields[b"busy"] == b"0"
    assert fields[b"beat"] == b"1795300080.900098"
    assert fields[b"quiet"] == b"false"
    assert int(fields[b"rtt_us"]) > 0
    assert int(fields[b"rss"]) > 1000
    assert json.loads(fields[b"info"])["concurrency"] == 3


def test_a_beat_sends_what_sidekiq_sends_in_its_order(scene: Scene, raw: redis.Redis) -> None:
    scene.running = [WorkEntry("kj2", "default", PAYLOAD, 1795300070)]
    with raw.monitor() as monitor:
        scene.beat()
        raw.echo("done")
        sent = [
            entry["command"] for entry in itertools.takewhile(lambda e: e["command"] != "ECHO done", monitor.listen())
        ]
    beat = [command for command in sent if not command.startswith(("HELLO", "CLIENT", "SELECT"))]
    assert [command.split()[0] for command in beat] == [
        *("MULTI", "UNLINK", "HSET", "EXPIRE", "EXEC"),
        "PING",
        *("MULTI", "SADD", "EXISTS", "HSET", "EXPIRE", "RPOP", "EXEC"),
    ]
    assert re.findall(r" (info|concurrency|busy|beat|rtt_us|quiet|rss) (?=\S)", beat[9]) == [
        *("info", "concurrency", "busy", "beat", "rtt_us", "quiet", "rss")
    ]


def test_a_beat_lists_the_process_for_a_minute(scene: Scene, raw: redis.Redis) -> None:
    scene.beat()
    assert raw.smembers("processes") == {ME.encode()}
    assert 59 <= raw.ttl(ME) <= 60


def test_a_process_that_goes_quiet_says_so_at_once(scene: Scene, raw: redis.Redis, monkeypatch: Any) -> None:
    monkeypatch.setattr("pillion.server.heartbeat.BEAT_EVERY_S", 1000.0)
    scene.heartbeat.start()
    until(lambda: raw.hget(ME, "quiet") == b"false")
    scene.is_quiet = True
    scene.heartbeat.quiet()
    until(lambda: raw.hget(ME, "quiet") == b"true")
    scene.heartbeat.stop(time.monotonic() + 5)


def test_a_quiet_process_says_so(scene: Scene, raw: redis.Redis) -> None:
    scene.is_quiet = True
    scene.beat()
    assert raw.hget(ME, "quiet") == b"true"


# -- the work --------------------------------------------------------------------------------------


def test_running_jobs_are_shown_for_a_minute(scene: Scene, raw: redis.Redis) -> None:
    scene.running = [WorkEntry("kj2", "default", PAYLOAD, 1795300070), WorkEntry("kj3", "high", PAYLOAD, 1795300071)]
    scene.beat()
    shown = {tid: json.loads(value) for tid, value in raw.hgetall(f"{ME}:work").items()}
    assert shown[b"kj2"] == {"queue": "default", "payload": PAYLOAD.decode(), "run_at": 1795300070}
    assert set(shown) == {b"kj2", b"kj3"}
    assert 59 <= raw.ttl(f"{ME}:work") <= 60
    assert raw.hget(ME, "busy") == b"2"


def test_an_idle_process_has_no_work_key(scene: Scene, raw: redis.Redis) -> None:
    scene.running = [WorkEntry("kj2", "default", PAYLOAD, 1795300070)]
    scene.beat()
    scene.running = []
    scene.beat()
    assert not raw.exists(f"{ME}:work")


# -- signals ---------------------------------------------------------------------------------------


def test_one_signal_a_beat_is_delivered_the_first_sent_first(scene: Scene, raw: redis.Redis) -> None:
    raw.lpush(f"{ME}-signals", "TSTP")
    raw.lpush(f"{ME}-signals", "TERM")
    scene.beat()
    assert scene.signals == ["TSTP"]
    scene.beat()
    scene.beat()
    assert scene.signals == ["TSTP", "TERM"]


def test_an_embedded_worker_takes_the_signal_and_ignores_it(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage, embedded=True)
    raw.lpush(f"{ME}-signals", "TERM")
    scene.beat()
    assert scene.signals == []
    assert not raw.exists(f"{ME}-signals")
    assert json.loads(raw.hget(ME, "info") or b"")["embedded"] is True


# -- events ----------------------------------------------------------------------------------------


def test_the_first_beat_is_the_heartbeat_event(scene: Scene) -> None:
    scene.beat()
    scene.beat()
    assert scene.events == ["heartbeat", "beat", "beat"]


def test_the_heartbeat_event_comes_again_when_the_record_had_vanished(scene: Scene, raw: redis.Redis) -> None:
    scene.beat()
    raw.delete(ME)
    scene.beat()
    assert scene.events == ["heartbeat", "beat", "heartbeat", "beat"]


# -- round trips -----------------------------------------------------------------------------------


def test_five_slow_round_trips_are_warned_of_once(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    ticks = iter(step * 0.060 for step in range(100))
    scene = Scene(storage, perf=lambda: next(ticks))
    with caplog.at_level(logging.WARNING, logger="pillion"):
        for _ in range(6):
            scene.beat()
    assert [record.message for record in caplog.records if "slowly" in record.message] != []
    assert len(caplog.records) == 1


# -- the service -----------------------------------------------------------------------------------


def test_a_started_heartbeat_beats_at_once_and_audits(scene: Scene, raw: redis.Redis) -> None:
    scene.heartbeat.start()
    until(lambda: scene.audited)
    assert raw.exists(ME)
    scene.heartbeat.stop(soon())


def test_a_quiet_heartbeat_goes_on(scene: Scene) -> None:
    scene.heartbeat.quiet()
    scene.heartbeat.start()
    until(lambda: scene.audited)
    scene.heartbeat.stop(soon())


def test_a_stopped_process_is_off_the_list_and_its_record_expires(scene: Scene, raw: redis.Redis) -> None:
    scene.running = [WorkEntry("kj2", "default", PAYLOAD, 1795300070)]
    scene.heartbeat.start()
    until(lambda: scene.audited)
    scene.heartbeat.stop(soon())
    assert not raw.exists("processes", f"{ME}:work")
    assert raw.exists(ME)


def test_stop_before_start_says_nothing_to_redis(scene: Scene, raw: redis.Redis) -> None:
    raw.sadd("processes", ME)
    scene.heartbeat.stop(soon())
    scene.heartbeat.stop(soon())
    assert raw.smembers("processes") == {ME.encode()}


def test_an_audit_runs_also_when_the_beat_fails(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    scene = Scene(storage)
    own_redis.kill()
    scene.heartbeat.start()
    until(lambda: scene.audited)
    assert [context for _, context in scene.reports.errors] == ["heartbeat"]
    scene.heartbeat.stop(soon())
    storage.close()


# -- pruning ---------------------------------------------------------------------------------------


def test_processes_without_a_record_are_pruned(scene: Scene, storage: Storage, raw: redis.Redis) -> None:
    scene.beat()
    raw.sadd("processes", *(f"vm:{n}:gone" for n in range(300)))
    assert prune_processes(storage) == 300
    assert raw.smembers("processes") == {ME.encode()}


def test_pruning_happens_once_a_minute_in_the_whole_cluster(storage: Storage, raw: redis.Redis) -> None:
    prune_processes(storage)
    raw.sadd("processes", "vm:2:gone")
    assert prune_processes(storage) == 0
    assert 59 <= raw.ttl("process_cleanup") <= 60
    assert raw.smembers("processes") == {b"vm:2:gone"}
