"""The supervisor: replaces what dies, gives back what it held, and leaves no orphan (F063, F068)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from redis_process import RedisProcess
from worker_process import Ledger, Run, wait_until

from pillion.storage.embedded_lock import is_locked

Start = Callable[..., Run]
Push = Callable[..., str]
Queue = Callable[..., list[bytes]]


# -- a worker dies -----------------------------------------------------------------------------------


def test_a_killed_worker_is_replaced_and_its_jobs_run(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run("-c", "3").wait_ready()
    for name in ("a", "b", "c"):
        push("Hold", name)
        ledger.wait_for(f"start {name}")
    run.signal("KILL", run.workers[0])
    ledger.open("a", "b", "c")
    for name in ("a", "b", "c"):
        ledger.wait_for(f"end {name}")
    assert "signal SIGKILL" in run.log
    assert run.stop() == 0


def test_the_jobs_of_a_killed_worker_go_to_its_sibling_at_once(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    app = "+if is_open('all-up'): wait_at('never')\n"  # a replacement never boots: only the sibling can run the job
    run = pillion_run("-p", "2", "-c", "1", app=app).wait_ready(times=2)
    ledger.open("all-up")
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("KILL", ledger.pid_of("a"))
    ledger.wait_for("start a", times=2)
    ledger.open("a")
    ledger.wait_for("end a")


def test_a_job_that_exits_its_process_with_0_does_not_pass_for_an_orderly_stop(
    pillion_run: Start, push: Push, ledger: Ledger
) -> None:
    app = """+
class ExitOnce(Job):
    def perform(self):
        if not is_open("second-time"):
            os._exit(0)
"""
    run = pillion_run(app=app).wait_ready()
    push("ExitOnce")
    run.wait_log("died, exit code 0")
    ledger.open("second-time")
    run.wait_ready(times=2)
    assert run.stop() == 0


def test_a_job_that_kills_every_process_it_runs_in_ends_in_the_dead_set(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-c", "1").wait_ready()
    jid = push("Exit", 7)
    wait_until(lambda: raw.zcard("dead"), "the dead set", lambda: run.log)
    push("Note", "life goes on")
    ledger.wait_for("life goes on")
    [payload] = raw.zrange("dead", 0, -1)  # type: ignore[misc]
    assert json.loads(payload)["jid"] == jid
    assert run.log.count("died, exit code 7") == 3


def test_a_worker_that_cannot_boot_any_more_is_tried_again_until_it_can(
    pillion_run: Start, push: Push, ledger: Ledger
) -> None:
    app = "+if is_open('broken') and not is_open('mended'): raise ValueError('half a deploy')\n"
    run = pillion_run(app=app).wait_ready()
    ledger.open("broken")
    run.signal("KILL", run.workers[0])
    run.wait_log("ValueError: half a deploy", times=2)
    ledger.open("mended")
    run.wait_ready(times=2)
    push("Note", "back")
    ledger.wait_for("back")


def test_the_process_record_of_a_killed_worker_is_gone_with_it(pillion_run: Start, raw: redis.Redis) -> None:
    run = pillion_run().wait_ready()
    dead = run.identities[0].encode()
    wait_until(lambda: raw.sismember("processes", dead), "the first heartbeat")
    run.signal("KILL", run.workers[0])
    wait_until(lambda: not raw.sismember("processes", dead), "the end of its process record")
    assert not raw.hexists("pl:owners", dead)  # type: ignore[arg-type]


def test_a_worker_that_dies_while_quiet_is_not_replaced(pillion_run: Start) -> None:
    run = pillion_run().wait_ready()
    run.signal("TSTP")
    run.wait_log("Quiet (TSTP)")
    run.signal("KILL", run.workers[0])
    run.wait_log("it is not replaced")
    assert run.workers == []
    assert run.stop() == 0


# -- the supervisor dies -------------------------------------------------------------------------------


def test_when_the_supervisor_is_killed_its_workers_finish_and_leave(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue, raw: redis.Redis
) -> None:
    run = pillion_run("-p", "2", "-c", "1").wait_ready(times=2)
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("KILL")
    run.wait_log("The supervisor is gone", times=2)
    wait_until(lambda: raw.info("clients")["blocked_clients"] == 0, "nobody waits for jobs any more")
    push("Note", "for others")
    ledger.open("a")
    run.wait_gone()
    assert ledger.lines == ["start a", "end a"]
    assert len(queue()) == 1


def test_idle_workers_leave_at_once_when_their_supervisor_is_killed(pillion_run: Start) -> None:
    run = pillion_run("-p", "3").wait_ready(times=3)
    run.signal("KILL")
    run.wait_gone()


def test_a_replaced_worker_notices_the_death_of_the_supervisor_too(pillion_run: Start) -> None:
    run = pillion_run("-p", "2").wait_ready(times=2)
    run.signal("KILL", run.workers[0])
    run.wait_ready(times=3)
    run.signal("KILL")
    run.wait_gone()


def test_a_worker_still_booting_when_the_supervisor_dies_leaves_as_soon_as_it_looks(
    pillion_run: Start, ledger: Ledger
) -> None:
    run = pillion_run(app="+note('loading'); wait_at('import')")
    ledger.wait_for("loading")
    run.signal("KILL")
    ledger.open("import")
    run.wait_gone()


def test_an_orphan_renews_its_own_lease_while_its_job_runs(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-t", "1000").wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    alive = f"pl:alive:{run.identities[0]}"
    run.signal("KILL")
    raw.expire(alive, 10)
    wait_until(lambda: raw.ttl(alive) > 20, "a renewed lease", lambda: run.log)  # type: ignore[operator]
    ledger.open("a")
    run.wait_gone()


# -- leases -------------------------------------------------------------------------------------------


def test_the_supervisor_renews_the_lease_of_a_worker_that_cannot(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-t", "1").wait_ready()
    push("Grip", "a")  # holds the interpreter: no thread of the worker runs any more
    ledger.wait_for("start a")
    alive = f"pl:alive:{run.identities[0]}"
    raw.expire(alive, 10)
    wait_until(lambda: raw.ttl(alive) > 20, "a renewed lease", lambda: run.log)  # type: ignore[operator]


def test_the_supervisor_follows_the_app_to_the_redis_that_its_code_names(
    pillion_run: Start, push: Push, ledger: Ledger, redis_url: str, raw: redis.Redis
) -> None:
    app = f"""+
import pillion
from pillion.config import RedisConfig
@pillion.configure_server
def elsewhere(config):
    config.redis = RedisConfig(url={redis_url!r})
"""
    run = pillion_run(app=app, redis_url="redis://127.0.0.1:1").wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("KILL", run.workers[0])
    ledger.open("a")
    ledger.wait_for("end a")
    assert run.stop() == 0


def test_supervisor_and_worker_survive_a_restart_of_redis(
    pillion_run: Start, own_redis: RedisProcess, ledger: Ledger
) -> None:
    run = pillion_run(redis_url=own_redis.url).wait_ready()
    own_redis.restart()
    with own_redis.client() as client:
        client.lpush(
            "queue:default", json.dumps({"class": "app.Note", "args": ["after"], "jid": "a" * 24, "retry": True})
        )
    ledger.wait_for("after")
    assert run.stop() == 0


def test_a_worker_that_dies_while_redis_is_away_has_its_jobs_run_later(
    pillion_run: Start, own_redis: RedisProcess, ledger: Ledger
) -> None:
    run = pillion_run("-c", "1", redis_url=own_redis.url).wait_ready()
    with own_redis.client() as client:
        client.lpush("queue:default", json.dumps({"class": "app.Hold", "args": ["a"], "jid": "a" * 24, "retry": True}))
    ledger.wait_for("start a")
    own_redis.kill()
    run.signal("KILL", run.workers[0])
    run.wait_log("died, signal SIGKILL")
    ledger.open("a")
    own_redis.start()
    ledger.wait_for("end a")


def test_a_stop_does_not_wait_for_a_redis_that_is_away(pillion_run: Start, own_redis: RedisProcess) -> None:
    run = pillion_run("-t", "1", redis_url=own_redis.url).wait_ready()
    own_redis.kill()
    assert run.stop() == 0
    assert run.processes == []


def test_a_stop_does_not_wait_for_a_redis_that_does_not_answer(pillion_run: Start, own_redis: RedisProcess) -> None:
    run = pillion_run("-t", "1", redis_url=own_redis.url).wait_ready()
    own_redis.pause()
    assert run.stop() == 0
    assert run.processes == []


def test_the_embedded_redis_outlives_a_worker_and_ends_with_the_last_process(
    pillion_run: Start, short_tmp: Path
) -> None:
    server_lock = short_tmp / "redis" / "server.lock"
    run = pillion_run("-p", "2", redis_url="", environ={"PILLION_DATA_DIR": str(short_tmp)}).wait_ready(times=2)
    assert is_locked(server_lock)
    for pid in run.workers:
        run.signal("KILL", pid)
    run.wait_ready(times=4)
    assert is_locked(server_lock)
    assert run.stop() == 0
    assert not is_locked(server_lock)


# -- as the first process of a container -------------------------------------------------------------------

NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode != 0,
    reason="this machine does not let us make a process namespace",
)
def test_process_1_buries_the_orphans_of_its_jobs(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    app = """+
import subprocess
class Orphan(Job):
    def perform(self, name):
        pid = subprocess.run(["sh", "-c", "sleep 0.1 & echo $!"], capture_output=True, text=True).stdout
        note("left behind", name)
"""
    run = pillion_run(app=app, prefix=NAMESPACE).wait_ready()
    for number in range(3):
        push("Orphan", number)
        ledger.wait_for(f"left behind {number}")
    wait_until(lambda: len(run.processes) == 3, "the end of the orphans")  # unshare, supervisor, worker
    wait_until(lambda: run.zombies == [], "their burial")
    run.signal("TERM", run.workers[0])
    assert run.wait() == 0


# -- the service manager ---------------------------------------------------------------------------------


def test_the_service_manager_is_told_when_all_workers_are_up_and_when_they_stop(
    pillion_run: Start, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"pillion-test-{tmp_path.name}-{id(tmp_path)}"
        manager.bind(f"\0{name}")
        manager.settimeout(90)
        run = pillion_run("-p", "2", environ={"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "2000000"})
        heard = []
        while b"READY=1" not in heard:
            heard.append(manager.recv(100))
        assert run.log.count(" ready: ") == 2
        run.signal("TERM")
        while b"STOPPING=1" not in heard:
            heard.append(manager.recv(100))
        assert set(heard) == {b"WATCHDOG=1", b"READY=1", b"STOPPING=1"}
        assert run.wait() == 0
