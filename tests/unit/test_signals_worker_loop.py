"""The main thread of a worker: which signal, or word of the supervisor, makes it do what."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from pillion.server.children import HURRY, STOPPING, WARNING, Link
from pillion.server.signals import SignalInbox
from pillion.server.worker import Worker

FAR_S = 1000.0
WATCHDOG_S = 60.0


class FakeLauncher:
    """A launcher whose drain lasts until `drained` is set."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.drained = threading.Event()
        self.called = threading.Semaphore(0)

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.called.release()

    def quiet(self) -> None:
        self._note("quiet")

    def stop(self, deadline_s: float) -> None:
        self._note("stop")
        assert self.drained.wait(WATCHDOG_S)

    def hurry(self) -> None:
        self._note("hurry")
        self.drained.set()

    def warn(self) -> None:
        self._note("warn")

    def tasks(self) -> list[str]:
        return ["Task Export c9f6"]

    def keep_own_lease(self) -> None:
        self._note("keep own lease")

    def wait_for(self, *calls: str) -> None:
        """Wait until it has been called in this way."""
        for _ in calls:
            assert self.called.acquire(timeout=WATCHDOG_S)
        assert sorted(self.calls[-len(calls) :]) == sorted(calls)  # each comes from a thread of its own


def join_stoppers() -> None:
    """Wait for the threads that a worker leaves behind at its end: they still write into the inbox."""
    for thread in threading.enumerate():
        if thread.name.startswith("pillion."):
            thread.join(WATCHDOG_S)


class Desk:
    """A worker's main loop in a thread of the test, and everything that leads to it."""

    def __init__(self, *, supervised: bool) -> None:
        self.launcher = FakeLauncher()
        self.inbox = SignalInbox()
        self.supervisor, self.ours = Link.pair()
        self.worker = Worker(self.launcher, self.inbox, FAR_S, self.ours if supervised else None)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=self.worker.run, daemon=True)
        self.thread.start()

    def assert_over(self) -> None:
        self.thread.join(WATCHDOG_S)
        assert not self.thread.is_alive()

    def close(self) -> None:
        self.launcher.drained.set()
        self.inbox.put("TERM")
        self.assert_over()
        join_stoppers()
        self.inbox.close()
        self.supervisor.close()
        self.ours.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(supervised=True)
    yield desk
    desk.close()


@pytest.fixture
def lone_desk() -> Iterator[Desk]:
    desk = Desk(supervised=False)
    yield desk
    desk.close()


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_stop_ends_the_loop_once_jobs_have_drained(desk: Desk, name: str) -> None:
    desk.inbox.put(name)
    desk.launcher.wait_for("stop")
    assert desk.thread.is_alive()
    desk.launcher.drained.set()
    desk.assert_over()


def test_the_supervisor_hears_that_the_end_is_intended(desk: Desk) -> None:
    desk.inbox.put("TERM")
    desk.launcher.wait_for("stop")
    assert desk.supervisor.receive() == [(STOPPING, "")]


def test_a_second_term_changes_nothing(desk: Desk) -> None:
    desk.inbox.put("TERM")
    desk.inbox.put("TERM")
    desk.inbox.put("TSTP")
    desk.launcher.wait_for("stop", "quiet")


def test_tstp_means_quiet(desk: Desk) -> None:
    desk.inbox.put("TSTP")
    desk.launcher.wait_for("quiet")


def test_term_after_tstp_stops(desk: Desk) -> None:
    desk.inbox.put("TSTP")
    desk.launcher.wait_for("quiet")
    desk.inbox.put("TERM")
    desk.launcher.wait_for("stop")


def test_ttin_logs_each_thread_at_warning_level(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.inbox.put("TTIN")
    desk.inbox.put("TSTP")
    desk.launcher.wait_for("quiet")
    dumps = [record for record in caplog.records if record.message.startswith("Thread ")]
    assert any("MainThread" in record.message for record in dumps)
    assert "Task Export c9f6" in caplog.messages
    assert {record.levelno for record in dumps} == {logging.WARNING}


def test_an_unknown_signal_is_named_in_a_warning(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.inbox.put("WINCH")
    desk.inbox.put("TSTP")
    desk.launcher.wait_for("quiet")
    [record] = [record for record in caplog.records if "WINCH" in record.message]
    assert record.levelno == logging.WARNING


def test_a_supervisor_in_a_hurry_does_not_wait_for_jobs(desk: Desk) -> None:
    desk.inbox.put("TERM")
    desk.launcher.wait_for("stop")
    desk.supervisor.send(HURRY)
    desk.launcher.wait_for("hurry")
    desk.assert_over()


def test_a_warning_of_the_supervisor_is_passed_on(desk: Desk) -> None:
    desk.supervisor.send(WARNING)
    desk.launcher.wait_for("warn")


def test_without_a_supervisor_a_second_ctrl_c_is_the_hurry(lone_desk: Desk) -> None:
    lone_desk.inbox.put("INT")
    lone_desk.launcher.wait_for("stop")
    lone_desk.inbox.put("INT")
    lone_desk.launcher.wait_for("hurry")


def test_when_the_supervisor_dies_the_worker_keeps_its_lease_and_stops(desk: Desk) -> None:
    desk.supervisor.close()
    desk.launcher.wait_for("keep own lease", "stop")


def test_a_drain_that_fails_still_ends_the_process(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(deadline_s: float) -> None:
        raise RuntimeError("no drain today")

    monkeypatch.setattr(desk.launcher, "stop", fail)
    desk.inbox.put("TERM")
    desk.assert_over()


def test_a_drain_that_never_ends_is_left_behind() -> None:
    launcher, inbox = FakeLauncher(), SignalInbox()
    inbox.put("TERM")
    Worker(launcher, inbox, -FAR_S).run()  # type: ignore[arg-type] - the deadline has long passed
    assert not launcher.drained.is_set()
    launcher.drained.set()
    join_stoppers()
    inbox.close()
