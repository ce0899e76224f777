"""Real workers: context and attributes travel from push to grandchild; helpers survive deaths of their process."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import redis
from worker_process import Ledger, Run, wait_until

import pillion

Start = Callable[..., Run]
Push = Callable[..., str]

FAMILY = """+
import asyncio
import pillion

class Current(pillion.CurrentAttributes):
    tenant: str = "nobody"

pillion.persist(Current)

def seen(name):
    note(name, Current.tenant, sorted(pillion.current_context().items()))

class Parent(Job):
    def perform(self):
        seen("parent")
        ChildAsync.perform_async()

class ChildAsync(Job):
    async def perform(self):
        await asyncio.sleep(0)
        seen("child")
        with self.with_context(step=2), Current.set(tenant="acme"):
            await Grandchild.perform_async.aio()

class Grandchild(Job):
    def perform(self):
        seen("grandchild")
        Nightly.perform_async()
        self.logger.info("about the project")

class Nightly(Job):
    carries_context = False
    def perform(self):
        seen("nightly")
"""


def test_the_log_line_of_the_grandchild_has_the_project_of_the_request(
    pillion_run: Start, push: Push, ledger: Ledger
) -> None:
    run = pillion_run("--log-format", "json", "-c", "1", app=FAMILY).wait_ready()
    with pillion.context(project="shop"):
        push("Parent", cattr={"tenant": "blue"})
    push("Parent")
    ledger.wait_for("nightly acme []", times=2)
    assert run.stop() == 0
    assert sorted(ledger.lines) == sorted(
        [
            "parent blue [('project', 'shop')]",
            "child blue [('project', 'shop')]",
            "grandchild acme [('project', 'shop'), ('step', 2)]",
            "nightly acme []",
            "parent nobody []",
            "child nobody []",
            "grandchild acme [('step', 2)]",
            "nightly acme []",
        ]
    )
    lines = [json.loads(line) for line in run.log.splitlines() if line.startswith("{")]
    facts = {
        (line["ctx"]["class"], line["msg"], line["ctx"].get("meta.project"), line["ctx"].get("meta.step"))
        for line in lines
        if line.get("ctx", {}).get("class")
    }
    for message in ("start", "about the project", "done"):
        assert {each for each in facts if each[:2] == ("app.Grandchild", message)} == {
            ("app.Grandchild", message, "shop", 2),
            ("app.Grandchild", message, None, 2),
        }
    assert {each[2:] for each in facts if each[0] == "app.Nightly"} == {(None, None)}


GUARDED = """+
class Charge(Job):
    def perform(self, name):
        with self.lock("payment:1", timeout_s=3), self.once("payment:1") as first:
            if not first:
                return note("nothing to do", name)
            sign(name)
            wait_at(name)
            note("charged", name)

    @staticmethod
    def retry_in(count, exc, payload):
        return 1
"""


def test_a_lock_of_a_killed_process_ends_by_itself_and_its_work_is_done_after_all(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run(app=GUARDED).wait_ready()
    push("Charge", "a")
    ledger.wait_for("start a")
    os.kill(ledger.pid_of("a"), signal.SIGKILL)
    assert raw.exists("pl:lock:payment:1")
    assert not raw.exists("pl:once:payment:1")
    ledger.open("a")
    ledger.wait_for("charged a")  # the job comes back, finds the lock of the dead, is retried until it has ended
    push("Charge", "b")
    ledger.wait_for("nothing to do b")
    assert run.stop() == 0
    assert ledger.count("charged a") == 1
    assert "LockNotAcquired" in run.log


BROKEN = """+
import pillion

down = pillion.CircuitBreaker("search", threshold=2, window_s=2)

class Index(Job, retry=10):
    def perform(self, name):
        with down:
            note("called", name)
            if not is_open("search"):
                raise OSError("search is down")
            note("indexed", name)

    @staticmethod
    def retry_in(count, exc, payload):
        return 1
"""


def test_an_open_circuit_postpones_jobs_and_loses_none(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-c", "1", app=BROKEN).wait_ready()
    for name in ("a", "b", "c", "d"):
        push("Index", name)
    wait_until(lambda: raw.zcard("schedule") == 2, "two of them in the schedule")
    assert ledger.lines == ["called a", "called b"]
    assert {json.loads(each)["args"][0] for each in raw.zrange("schedule", 0, -1)} == {"c", "d"}
    assert raw.get("stat:failed") == b"2"
    ledger.open("search")
    for name in ("a", "b", "c", "d"):
        ledger.wait_for(f"indexed {name}")
    assert run.stop() == 0
    assert [ledger.count(f"indexed {name}") for name in ("a", "b", "c", "d")] == [1, 1, 1, 1]
    assert raw.zcard("retry") == raw.zcard("schedule") == raw.llen("queue:default") == 0


PATIENT = """+
from pillion import with_retry

class Slow(Job):
    def perform(self):
        call()

@with_retry(on=OSError, times=1, base=600)
def call():
    note("tried")
    raise OSError("down")
"""


def test_a_job_that_waits_to_try_again_does_not_hold_up_the_shutdown(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Callable[..., list[bytes]]
) -> None:
    run = pillion_run("-t", "1", app=PATIENT).wait_ready()
    push("Slow")
    ledger.wait_for("tried")
    assert run.stop() == 0
    assert len(queue()) == 1
    assert "Not everything ended in time" not in run.log
