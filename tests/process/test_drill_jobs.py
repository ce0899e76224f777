"""Jobs that are a danger to their process: they kill it, stop it, or outlast it. And payloads that are no jobs."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from worker_process import Ledger, Run, wait_until

from pillion.client import Client
from pillion.config import Config
from pillion.storage.sync import Storage

pytestmark = pytest.mark.drill
Start = Callable[..., Run]
Push = Callable[..., str]
Queue = Callable[..., list[bytes]]

INNOCENT = 200


@pytest.fixture
def client(storage: Storage) -> Client:
    return Client(storage, Config())


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_job_that_kills_its_process_takes_no_innocent_job_with_it(
    pillion_run: Start, push: Push, client: Client, ledger: Ledger, raw: redis.Redis, processes: int
) -> None:
    in_front = client.push_bulk({"class": "app.Note", "args": [["in front", n] for n in range(INNOCENT)]})
    killer = push("Exit", 1)
    behind = client.push_bulk({"class": "app.Note", "args": [["behind", n] for n in range(INNOCENT)]})
    run = pillion_run("-p", str(processes), "-c", "10").wait_ready(times=processes)
    wait_until(lambda: len(set(ledger.lines)) == 2 * INNOCENT, "all innocent jobs to run", lambda: run.log)
    wait_until(lambda: raw.zcard("dead"), "the dead set", lambda: run.log)
    dead = [json.loads(payload) for payload in raw.zrange("dead", 0, -1)]  # type: ignore[union-attr]
    assert [(job["jid"], job["error_class"]) for job in dead] == [(killer, "pillion.errors.PoisonPill")]
    # Before the first of four is replaced, the others may meet it as well: three deaths prove nothing then.
    assert run.log.count("died, exit code 1") == 3 or processes > 2
    assert len(in_front + behind) == 2 * INNOCENT
    assert run.stop() == 0


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_killer_among_jobs_that_take_their_time_is_found_out(
    pillion_run: Start, push: Push, client: Client, raw: redis.Redis, processes: int
) -> None:
    """Each process that starts again comes to innocent jobs first, those of a queue that goes before."""
    app = """+
class Tick(Job, queue="high"):
    def perform(self):
        time.sleep(0.02)
class Nap(Job, queue="low"):
    def perform(self, n):
        time.sleep(0.1)
class KillSoon(Job, queue="low"):
    def perform(self):
        time.sleep(0.05)
        os._exit(1)
"""
    client.push_bulk({"class": "app.Nap", "queue": "low", "args": [[n] for n in range(INNOCENT)]})
    killer = push("KillSoon", queue="low")
    client.push_bulk({"class": "app.Nap", "queue": "low", "args": [[n] for n in range(INNOCENT)]})
    with pushing(lambda: push("Tick", queue="high")) as ticks:
        args = ("-p", str(processes), "-c", "10", "-q", "high", "-q", "low")
        run = pillion_run(*args, app=app).wait_ready(times=processes)
        wait_until(lambda: raw.zcard("dead"), "the dead set", lambda: run.log)
    expected = 2 * INNOCENT + len(ticks)
    wait_until(lambda: raw.get("stat:processed") == b"%d" % expected, "the others to run", lambda: run.log)
    dead = [json.loads(payload)["jid"] for payload in raw.zrange("dead", 0, -1)]  # type: ignore[union-attr]
    assert dead == [killer]
    assert run.log.count("died, exit code 1") == 3 or processes > 2
    assert "recovery 3 of" not in run.log or processes > 2, "no innocent job was there three times"
    assert not raw.exists("pl:suspects")
    assert run.stop() == 0


@contextmanager
def pushing(push: Callable[[], str]) -> Iterator[list[str]]:
    """Push again and again meanwhile; the list has what was pushed."""
    pushed: list[str] = []
    over = threading.Event()

    def go() -> None:
        while not over.wait(0.01):
            pushed.append(push())

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield pushed
    finally:
        over.set()
        thread.join()


# -- a job that holds the interpreter ------------------------------------------------------------------

GRIP_S = float(os.environ.get("PILLION_DRILL_GRIP_S", "0"))


@pytest.mark.skipif(not GRIP_S, reason="takes longer than a lease (30 s): PILLION_DRILL_GRIP_S=40")
@pytest.mark.timeout(GRIP_S + 90)
def test_a_job_in_c_that_holds_the_interpreter_longer_than_a_lease_runs_once(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    app = """+
import ctypes
class Clench(Job):
    def perform(self, seconds):
        note("start")
        ctypes.PyDLL(None).usleep(int(seconds * 1e6))  # PyDLL keeps the interpreter's lock during the call
        note("end")
"""
    run = pillion_run(app=app).wait_ready()
    other = pillion_run("-q", "other", app=None).wait_ready()  # somebody who could take it for dead
    push("Clench", GRIP_S)
    ledger.wait_for("start")
    wait_until(lambda: ledger.count("end"), "the end of the call", lambda: run.log + other.log)
    wait_until(lambda: raw.get("stat:processed") == b"1", "its acknowledgement")
    assert ledger.lines == ["start", "end"]
    assert "died" not in run.log + other.log
    said = [line for line in (run.log + other.log).splitlines() if " pid=" in line]  # without tracebacks
    assert not any("lease" in line.lower() for line in said)
    assert run.stop() == 0


# -- payloads that are no jobs ---------------------------------------------------------------------------

JUNK = b'{"class":"app.Note","args":[1'
ARRAY = b'["app.Note",1]'
NAN = b'{"class":"app.Note","args":[NaN],"jid":"000000000000000000000001","retry":true}'
UNKNOWN = b'{"class":"app.Nowhere","args":[],"jid":"000000000000000000000002","retry":true}'
ARITY = b'{"class":"app.Size","args":[1,2,3],"jid":"000000000000000000000003","retry":true}'
BIG = b'{"class":"app.Size","args":["%s"],"jid":"000000000000000000000004","retry":true}' % (b"x" * 5_000_000)


def test_raw_payloads_of_all_kinds_do_a_worker_no_harm(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis, queue: Queue
) -> None:
    app = """+
class Size(Job):
    def perform(self, text):
        note(len(text))
"""
    run = pillion_run(app=app).wait_ready()
    for payload in (JUNK, ARRAY, NAN, UNKNOWN, ARITY, BIG):
        raw.lpush("queue:default", payload)
    wait_until(lambda: raw.zcard("dead") == 3 and raw.zcard("retry") == 2 and ledger.count("5000000"), "their ends")
    push("Note", "alive")
    ledger.wait_for("alive")
    wait_until(lambda: raw.get("stat:processed") == b"4", "the counter")

    as_text = json.dumps(ARRAY.decode(), separators=(",", ":")).encode()  # as Ruby's dashboards can show it
    assert set(raw.zrange("dead", 0, -1)) == {JUNK, as_text, NAN}  # byte for byte, and counted as nothing
    retries = {job["jid"][-1]: job for job in map(json.loads, raw.zrange("retry", 0, -1))}  # type: ignore[arg-type]
    assert retries["2"]["error_class"] == "pillion.errors.UnknownJobClass"
    assert retries["2"]["error_message"].startswith("No job named 'app.Nowhere'")
    assert retries["3"]["error_class"] == "TypeError"
    assert "Size.perform() takes 2 positional arguments but 4 were given" in retries["3"]["error_message"]
    assert (raw.get("stat:failed"), queue()) == (b"2", [])
    assert run.log.count("Invalid JSON for job") == 3
    for job in retries.values():
        assert f"Job raised exception: {job['error_class'].split('.')[-1]}: {job['error_message']}" in run.log
    assert len(run.identities) == 1
    assert run.stop() == 0
