"""The order in which the parts of a worker process come up and go down (behaviour 12)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pillion.config import EVENTS, Config
from pillion.errors import ConfigError, RedisUnavailable
from pillion.server.launcher import Launcher, Parts
from pillion.server.lifecycle import Lifecycle
from pillion.server.reporter import Reporter

FAR_S = 60.0


class FakeService:
    """A service that writes down what is asked of it."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary
        self.on_stop: Callable[[float], None] = lambda deadline_s: None

    def start(self) -> None:
        self.diary.append(f"start {self.name}")

    def quiet(self) -> None:
        self.diary.append(f"quiet {self.name}")

    def stop(self, deadline_s: float) -> None:
        self.diary.append(f"stop {self.name}")
        self.on_stop(deadline_s)


class FakeRecords:
    def __init__(self, diary: list[str]) -> None:
        self.diary = diary
        self.failure: Exception | None = None

    def register(self) -> None:
        self.diary.append("register")
        if self.failure:
            raise self.failure

    def release(self) -> None:
        self.diary.append("release")


class Process:
    """A launcher with fake parts, and the diary they all write into."""

    def __init__(self, *, supervised: bool = True, services: Sequence[str] = ()) -> None:
        self.diary: list[str] = []
        self.reports: list[BaseException] = []
        self.config = Config(error_handlers=[lambda exc, context, config: self.reports.append(exc)])
        for event in EVENTS:
            self.config.on(event, lambda event=event: self.diary.append(f"hook {event}"))
        self.records = FakeRecords(self.diary)
        self.manager = FakeService("manager", self.diary)
        self.scheduler = FakeService("scheduler", self.diary)
        self.parts = Parts(
            records=self.records,
            managers=[self.manager],
            scheduler=self.scheduler,
            heartbeat=FakeService("heartbeat", self.diary),
            background=[FakeService("reaper", self.diary)],
            lease=FakeService("lease", self.diary),
            take_back=lambda: self.diary.append("take back"),
            on_leaving=lambda: self.diary.append("leaving"),
            warn=lambda: self.diary.append("warn"),
        )
        self.services = [FakeService(name, self.diary) for name in services]
        self.parts = replace(self.parts, services=self.services)
        reporter = Reporter(self.config)
        lifecycle = Lifecycle(self.config, reporter)
        self.launcher = Launcher(self.config, self.parts, lifecycle, reporter, supervised=supervised)

    def stop(self, within_s: float = FAR_S) -> list[str]:
        """What happens during a stop."""
        self.diary.clear()
        self.launcher.stop(time.monotonic() + within_s)
        return self.diary


@pytest.fixture
def process() -> Process:
    return Process()


def index_of(diary: list[str], *entries: str) -> list[int]:
    return [diary.index(entry) for entry in entries]


def test_the_order_of_the_start(process: Process) -> None:
    process.launcher.start()
    assert process.diary == [
        "hook startup",
        "register",
        "take back",
        "start heartbeat",
        "start manager",
        "start scheduler",
        "start reaper",
    ]


def test_without_a_supervisor_the_process_renews_its_own_lease_before_it_fetches() -> None:
    process = Process(supervised=False)
    process.launcher.start()
    assert index_of(process.diary, "register", "start lease", "start manager") == [1, 2, 5]


def test_an_abandoned_process_renews_its_own_lease(process: Process) -> None:
    process.launcher.start()
    process.launcher.keep_own_lease()
    assert process.diary[-1] == "start lease"


def test_the_config_is_frozen_at_the_start(process: Process) -> None:
    process.launcher.start()
    with pytest.raises(ConfigError, match="frozen"):
        process.config.timeout_s = 1.0


def test_a_failing_startup_hook_aborts_before_anything_is_registered(process: Process) -> None:
    process.config.on("startup", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        process.launcher.start()
    assert process.diary == ["hook startup"]


def test_without_an_owner_record_nothing_is_fetched(process: Process) -> None:
    process.records.failure = RedisUnavailable("gone")
    with pytest.raises(RedisUnavailable):
        process.launcher.start()
    assert "start manager" not in process.diary


def test_the_dead_may_wait_if_they_cannot_be_looked_after_now() -> None:
    process = Process()

    def fail() -> Any:
        raise RedisUnavailable("gone")

    object.__setattr__(process.parts, "take_back", fail)
    process.launcher.start()
    assert "start manager" in process.diary
    assert [type(report) for report in process.reports] == [RedisUnavailable]


def test_quiet_stops_fetching_and_scheduling_then_tells_the_hooks(process: Process) -> None:
    process.launcher.start()
    process.diary.clear()
    process.launcher.quiet()
    assert process.diary == ["quiet manager", "quiet heartbeat", "stop scheduler", "hook quiet"]


def test_a_second_quiet_does_nothing(process: Process) -> None:
    process.launcher.start()
    process.launcher.quiet()
    process.diary.clear()
    process.launcher.quiet()
    assert process.diary == []


def test_the_order_of_a_stop(process: Process) -> None:
    process.launcher.start()
    diary = process.stop()
    order = [
        "quiet manager",
        "stop scheduler",
        "stop manager",
        "stop reaper",
        "stop heartbeat",
        "stop lease",
        "leaving",
        "release",
        "hook exit",
    ]
    assert index_of(diary, *order) == sorted(index_of(diary, *order))
    assert [entry for entry in diary if entry.startswith("hook")] == ["hook quiet", "hook shutdown", "hook exit"]


def test_a_stop_after_quiet_is_not_quiet_again(process: Process) -> None:
    process.launcher.start()
    process.launcher.quiet()
    diary = process.stop()
    assert "quiet manager" not in diary
    assert "hook quiet" not in diary


def test_a_second_stop_does_nothing(process: Process) -> None:
    process.launcher.start()
    process.stop()
    assert process.stop() == []


def test_shutdown_hooks_run_while_jobs_drain(process: Process) -> None:
    hook_has_run = threading.Event()
    process.config.on("shutdown", hook_has_run.set)
    process.manager.on_stop = lambda deadline_s: assert_(hook_has_run.wait(30))
    process.launcher.start()
    process.stop()
    assert process.reports == []


def assert_(condition: bool) -> None:
    assert condition


def test_a_hanging_hook_does_not_outlast_the_deadline(process: Process) -> None:
    release = threading.Event()
    process.config.on("shutdown", lambda: assert_(release.wait(60)))
    process.launcher.start()
    assert process.stop(within_s=-10.0)[-1] == "hook exit"
    release.set()


def test_a_stop_is_whole_also_where_no_thread_can_begin(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the exit handlers of Python 3.12 and later."""

    def cannot_start(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    process.launcher.start()
    monkeypatch.setattr(threading.Thread, "start", cannot_start)
    diary = process.stop()
    assert index_of(diary, "hook shutdown", "stop manager", "release", "hook exit") == sorted(
        index_of(diary, "hook shutdown", "stop manager", "release", "hook exit")
    )
    assert process.reports == []


def test_a_manager_that_fails_to_stop_does_not_keep_the_rest_up(process: Process) -> None:
    process.manager.on_stop = lambda deadline_s: assert_(condition=False)
    process.launcher.start()
    diary = process.stop()
    assert "release" in diary
    assert [type(report) for report in process.reports] == [AssertionError]


def test_hurry_moves_the_deadline_of_the_managers_to_now(process: Process) -> None:
    deadlines: list[float] = []
    process.manager.on_stop = deadlines.append
    process.launcher.start()
    process.launcher.hurry()
    assert deadlines[0] <= time.monotonic()


def test_a_process_that_never_started_can_be_stopped(process: Process) -> None:
    assert process.stop()[-1] == "hook exit"


# -- services of features -------------------------------------------------------------------------


def test_services_come_last_and_see_the_end_of_the_last_job() -> None:
    process = Process(services=["metrics"])
    process.launcher.start()
    assert process.diary[-1] == "start metrics"
    diary = process.stop()
    assert index_of(diary, "stop manager", "stop metrics", "stop reaper", "stop heartbeat") == sorted(
        index_of(diary, "stop manager", "stop metrics", "stop reaper", "stop heartbeat")
    )
    assert "quiet metrics" in diary


@pytest.mark.parametrize("step", ["start", "quiet", "stop"])
def test_a_service_that_fails_harms_neither_jobs_nor_other_services(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(services=["broken", "sound"])

    def fail(*args: object) -> None:
        raise ValueError(step)

    monkeypatch.setattr(process.services[0], step, fail)
    process.launcher.start()
    process.stop()
    assert [str(exc) for exc in process.reports] == [step]
    assert {"stop manager", "stop sound", "stop heartbeat", "release", "hook exit"} <= set(process.diary)


def test_a_warning_reaches_those_that_run_jobs(process: Process) -> None:
    process.launcher.warn()
    assert process.diary == ["warn"]
