"""One child as a thread of the worker sees it, when words cross on their way (F066). The test is zygote and child."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pillion.server.isolation.bell import Bell
from pillion.server.isolation.child import Child, NotBegun
from pillion.server.isolation.frames import Frame, Kind, Line, wait_for
from pillion.server.isolation.order import Errand
from pillion.server.slot import Slot

WATCHDOG_S = 20.0


class Stage:
    """A child, and the other ends of its line and of its leash."""

    def __init__(self) -> None:
        line, self.line = map(Line, socket.socketpair())
        leash, self.leash = map(Line, socket.socketpair())
        self.child = Child(line, leash)

    def run(self, play: Callable[[], None], hard_timeout_s: float | None = None) -> None:
        """Give the child a job, while `play` says what zygote and child do. Raises what the job raises."""
        thread, bell = threading.Thread(target=play, daemon=True), Bell()
        thread.start()
        try:
            self.child.run(Errand(b"{}\n{}", hard_timeout_s), Slot(lambda: False), bell)
        finally:
            thread.join(WATCHDOG_S)
            bell.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.child.destroy()
    stage.line.close()
    stage.leash.close()


def test_a_child_that_has_answered_can_have_another_job(stage: Stage) -> None:
    def play() -> None:
        stage.line.wait()
        stage.line.send(Kind.BEGUN)
        stage.line.send(Kind.DONE)

    stage.run(play)
    assert stage.child.is_idle


def test_a_child_that_answers_while_it_is_about_to_be_killed_gets_no_other_job(stage: Stage) -> None:
    def play() -> None:
        stage.line.wait()
        stage.line.send(Kind.BEGUN)
        [word] = stage.leash.wait()  # comes with the hard timeout; it takes time until the zygote obeys
        assert word.kind == Kind.KILL
        stage.line.send(Kind.DONE)

    stage.run(play, hard_timeout_s=0.01)
    assert not stage.child.is_idle


def test_a_child_that_does_not_begin_with_its_job_is_killed_and_another_can_have_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been stopped, or a thread that its last job has left behind does not let go of the interpreter."""
    monkeypatch.setattr("pillion.server.isolation.child.BEGIN_TIMEOUT_S", 0.01)

    def play() -> None:
        [word] = stage.leash.wait()
        assert word.kind == Kind.KILL
        stage.leash.send(Kind.ENDED, b"-9")

    with pytest.raises(NotBegun, match="SIGKILL"):
        stage.run(play)


def test_a_job_that_has_begun_may_take_its_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pillion.server.isolation.child.BEGIN_TIMEOUT_S", 0.05)

    def play() -> None:
        stage.line.send(Kind.BEGUN)
        [word] = stage.line.wait()
        assert word.kind == Kind.RUN
        wait_for([stage.leash], timeout_s=0.2)
        words.extend(stage.leash.receive())
        stage.line.send(Kind.DONE)

    words: list[Frame] = []
    stage.run(play)
    assert words == []
