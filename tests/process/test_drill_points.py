"""Kill -9 at each named point of a job's way, one by one: see the table of places in docs/design/engine.md.

The worker kills itself there (`drill_traps`) while its supervisor is held still, so that what is in
Redis can be read as the death left it. Then the supervisor goes on, and the job must come to its end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from drill import WORK_APP, settled_places, steps_of
from worker_process import Ledger, Run, wait_until

pytestmark = pytest.mark.drill
Start = Callable[..., Run]
Push = Callable[..., str]

SUPPORT = Path(__file__).parent.parent / "support"
APP = f"""+
{WORK_APP}
import drill_traps
drill_traps.set_trap()

class DieWithin(Job):
    def perform(self, _):
        note("start", self.jid, os.getpid(), self.attempt)
        drill_traps.die()
        note("end", self.jid, os.getpid(), self.attempt)
"""


class Scene:
    """A worker with one thread and a trap, and a supervisor that can be held still."""

    def __init__(self, start: Start, raw: redis.Redis, ledger: Ledger, folder: Path) -> None:
        self._start = start
        self._raw = raw
        self._ledger = ledger
        self._folder = folder
        self.run: Run

    def boot(self, trap: str, *args: str) -> Run:
        """Start it, not waiting until it is ready."""
        self._raw.config_resetstat()
        environ = {"PILLION_DRILL_TRAP": trap, "PYTHONPATH": f"{SUPPORT}:{os.environ.get('PYTHONPATH', '')}"}
        self.run = self._start("-c", "1", "-t", "60", *args, app=APP, environ=environ)
        return self.run

    def wait_idle(self) -> None:
        """Wait until it waits for jobs: the next one comes by a blocking move."""
        wait_until(self._waits_for_good, "a blocking move", lambda: self.run.log)

    def _waits_for_good(self) -> bool:
        """Whether a move blocks that has been armed after the worker was told of its subscription.

        Being told makes it call off its first move and look at the paused queues; a job that comes just then
        comes by that fetch.
        """
        called_off = "cmdstat_client|unblock" in self._raw.info("commandstats")
        return called_off and any("b" in client["flags"] for client in self._raw.client_list())

    def hold_still(self) -> None:
        """Whoever dies from now on is not looked after before `go_on`."""
        self.run.signal("STOP")

    def go_on(self) -> None:
        self.run.signal("CONT")

    def arm(self) -> None:
        """Whoever gets to the trap from now on dies in it. Only the first: then it is gone."""
        (self._folder / "armed").touch()

    def places(self) -> list[str]:
        """Where each job is, once somebody has died in the trap."""
        wait_until((self._folder / "sprung").exists, "the trap to spring", lambda: self.run.log)
        wait_until(lambda: self.run.workers == [], "the death of the worker", lambda: self.run.log)
        return sorted("held" if place.is_held else place.kind for place in settled_places(self._raw))

    def wait_finished(self) -> None:
        """Wait until all jobs have come to their end, and look whether the books agree."""
        wait_until(lambda: settled_places(self._raw) == [], "the end of all jobs", lambda: self.run.log)

    def written(self, *jids: str) -> list[str]:
        """What the jobs (or those of `jids`) wrote: start, fail, end."""
        return [step.what for step in steps_of(self._ledger) if not jids or step.jid in jids]

    def counts(self) -> tuple[int, int]:
        """Settled runs, failed runs."""
        return self.count("stat:processed"), self.count("stat:failed")

    def recoveries(self, jid: str) -> int:
        return self.count(f"pl:recovered:{jid}")

    def count(self, key: str) -> int:
        return int(self._raw.get(key) or 0)  # type: ignore[arg-type]


@pytest.fixture
def scene(pillion_run: Start, raw: redis.Redis, ledger: Ledger, tmp_path: Path) -> Scene:
    return Scene(pillion_run, raw, ledger, tmp_path)


@dataclass(frozen=True)
class Point:
    """Where the worker dies, where the job must then be, and what it will have written in the end.

    `recovered`: whether the death counts against the job. `settled`: how many runs were, of them `failed`.
    """

    trap: str
    place: list[str]
    written: list[str]
    recovered: bool = True
    job: str = "Work"
    fails_first: bool = False
    settled: int = 1
    failed: int = 0

    def __str__(self) -> str:
        return self.trap


ONE_RUN = ["start", "end"]
CUT_OFF = ["start", *ONE_RUN]
TWO_RUNS = [*ONE_RUN, *ONE_RUN]
ONE_RETRY = ["start", "fail", *ONE_RUN]
TWO_FAILURES = ["start", "fail", *ONE_RETRY]


@pytest.mark.parametrize(
    "point",
    [
        Point("moved_and_not_adopted", ["held"], ONE_RUN),
        Point("adopted_and_not_begun", ["held"], ONE_RUN),
        Point("before_perform", ["held"], ONE_RUN),
        Point("within_perform", ["held"], CUT_OFF, job="DieWithin"),
        Point("after_perform", ["held"], TWO_RUNS),
        Point("before_the_acknowledgement_is_sent", ["held"], TWO_RUNS),
        Point("after_the_acknowledgement_is_sent", [], ONE_RUN, recovered=False),
    ],
    ids=str,
)
def test_a_job_whose_process_dies(scene: Scene, push: Push, point: Point) -> None:
    scene.boot(point.trap).wait_ready()
    scene.wait_idle()
    scene.hold_still()
    scene.arm()
    jid = push(point.job, point.fails_first)
    assert scene.places() == point.place
    scene.go_on()
    scene.wait_finished()
    assert scene.written() == point.written
    assert scene.recoveries(jid) == point.recovered
    assert scene.counts() == (point.settled, point.failed)


@pytest.mark.parametrize(
    "point",
    [
        Point("failed_and_not_decided", ["held"], TWO_FAILURES),
        Point("before_the_retry_is_sent", ["held"], TWO_FAILURES),
        Point("after_the_retry_is_sent", ["retry"], ONE_RETRY, recovered=False),
    ],
    ids=str,
)
def test_a_failed_job_whose_process_dies(scene: Scene, push: Push, point: Point) -> None:
    scene.boot(point.trap).wait_ready()
    scene.wait_idle()
    scene.hold_still()
    scene.arm()
    jid = push("Work", True)
    assert scene.places() == point.place
    scene.go_on()
    scene.wait_finished()
    assert scene.written() == point.written
    assert scene.recoveries(jid) == point.recovered
    assert scene.counts() == (2, 1)  # no failure is counted twice, and none twice against its retries


def test_a_job_fetched_by_a_process_that_dies_before_it_reads_the_reply(
    scene: Scene, push: Push, ledger: Ledger
) -> None:
    scene.boot("fetched_and_the_reply_not_processed").wait_ready()
    push("Hold", "first")
    ledger.wait_for("start first")
    jid = push("Work", False)
    scene.hold_still()
    scene.arm()
    ledger.open("first")
    assert scene.places() == ["held"]
    assert scene.counts() == (1, 0)  # the acknowledgement of the first went in the same packet
    scene.go_on()
    scene.wait_finished()
    assert scene.written() == ONE_RUN
    assert scene.recoveries(jid) == 1


@pytest.mark.parametrize(("trap", "place"), [("due_and_not_promoted", "schedule"), ("just_promoted", "queue")])
def test_a_due_job_whose_scheduler_dies(scene: Scene, push: Push, trap: str, place: str) -> None:
    scene.boot(trap, "-q", "other").wait_ready()  # nobody here takes the job out of its queue
    scene.hold_still()
    scene.arm()
    push("Work", False, at=time.time() + 0.5)
    assert scene.places() == [place]
    scene.go_on()
    scene.boot(trap).wait_ready()
    scene.wait_finished()
    assert scene.written() == ONE_RUN


def test_a_recovery_whose_process_dies_between_two_jobs(scene: Scene, push: Push, ledger: Ledger) -> None:
    scene.boot("after_perform", "-c", "3").wait_ready()
    jids = []
    for name in ("a", "b", "c"):
        jids.append(push("Hold", name))
        ledger.wait_for(f"start {name}")
    scene.run.destroy()
    scene.arm()
    scene.boot("between_two_jobs_of_a_recovery")
    assert scene.places() == ["held", "held", "queue"]
    ledger.open("a", "b", "c")
    scene.boot("after_perform").wait_ready()
    scene.wait_finished()
    assert ledger.lines[3:] == ["start a", "end a", "start b", "end b", "start c", "end c"]
    assert [scene.recoveries(jid) for jid in jids] == [1, 1, 1]


@pytest.mark.parametrize(
    ("trap", "places"),
    [
        ("before_a_hand_back", ["held", "held", "held", "held", "held"]),
        ("between_two_queues_of_a_hand_back", ["held", "held", "held", "queue", "queue"]),
        ("after_a_hand_back", ["held", "queue", "queue", "queue", "queue"]),
    ],
)
def test_a_process_that_goes_quiet_and_dies_while_it_hands_back(
    scene: Scene, push: Push, ledger: Ledger, trap: str, places: list[str]
) -> None:
    push("Hold", "a", queue="one")
    jids = [push("Work", False, queue=name) for name in ("one", "one", "two", "two")]
    scene.boot(trap, "-q", "one", "-q", "two")
    ledger.wait_for("start a")  # and the four others came with it and are buffered
    scene.hold_still()
    scene.arm()
    scene.run.signal("TSTP", scene.run.workers[0])
    assert scene.places() == places
    ledger.open("a")
    scene.go_on()
    scene.wait_finished()
    assert [step.jid for step in steps_of(ledger) if step.what == "end"] == jids
    assert scene.written() == ONE_RUN * 4
