"""Real workers write metrics: at the end, the last job included, and while they run (wire-format 8)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import redis
from worker_process import Ledger, Run, clean_environment, wait_until

Start = Callable[..., Run]
Push = Callable[..., str]

EIGHT_HOURS_S, THREE_DAYS_S = 28_800, 259_200


def runs_in(raw: redis.Redis, pattern: str) -> dict[str, int]:
    """Field to amount, over all rollups whose key is matched."""
    sums: dict[str, int] = {}
    for key in raw.keys("j|*"):
        if re.fullmatch(pattern, key.decode()):
            for field, amount in raw.hgetall(key).items():
                sums[field.decode()] = sums.get(field.decode(), 0) + int(amount)
    return sums


MINUTES, TEN_MINUTES = r"j\|\d{6}\|\d{1,2}:\d\d", r"j\|\d{6}\|\d{1,2}:\d"


def test_a_worker_that_ends_has_written_all_its_runs(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run(app="+class Boom(Job):\n    def perform(self): 1 / 0").wait_ready()
    for number in range(20):
        push("Note", "ran", number)
    push("Boom")
    wait_until(lambda: len(ledger.lines) == 20, "all of its jobs in the ledger")
    wait_until(lambda: raw.zcard("retry"), "the failed job in the retry set")
    assert run.stop() == 0
    for pattern in (MINUTES, TEN_MINUTES):
        sums = runs_in(raw, pattern)
        assert (sums["app.Note|p"], sums["app.Boom|p"], sums["app.Boom|f"]) == (20, 1, 1)
        assert "app.Note|f" not in sums
    lifetimes = {key: raw.ttl(key) for key in raw.keys("[hj]|*")}
    assert {round(ttl_s, -2) for key, ttl_s in lifetimes.items() if key.startswith(b"h")} == {EIGHT_HOURS_S}
    assert {round(ttl_s, -2) for key, ttl_s in lifetimes.items() if key.startswith(b"j")} == {
        EIGHT_HOURS_S,
        THREE_DAYS_S,
    }
    assert all(re.fullmatch(r"h\|app\.Note-\d{1,2}-\d{1,2}:\d{1,2}", key.decode()) for key in raw.keys("h|*"))


def test_the_last_job_of_a_shutdown_is_in_it(pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("TERM")
    run.wait_log("Stopping (TERM)")
    ledger.open("a")
    assert run.wait() == 0
    assert runs_in(raw, MINUTES)["app.Hold|p"] == 1


def test_a_job_cut_off_at_the_deadline_counts_as_failed(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-t", "1").wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.stop()
    sums = runs_in(raw, MINUTES)
    assert (sums["app.Hold|p"], sums["app.Hold|f"]) == (1, 1)
    assert raw.llen("queue:default") == 1


def test_a_worker_at_work_writes_every_ten_seconds(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    pillion_run().wait_ready()
    push("Note", "ran")
    wait_until(lambda: runs_in(raw, MINUTES).get("app.Note|p") == 1, "the run in the metrics")


def test_without_features_nothing_is_written(pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis) -> None:
    run = pillion_run(environ={"PILLION_FEATURES": "none"}).wait_ready()
    push("Note", "ran")
    ledger.wait_for("ran")
    assert run.stop() == 0
    assert raw.keys("[hj]|*") == []


def test_a_feature_that_is_not_there_is_said_once(pillion_run: Start) -> None:
    run = pillion_run("-p", "2", environ={"PILLION_FEATURES": "shop.audit"})
    assert run.wait() == 1
    assert run.log.count("features: expected modules that can be imported, got 'shop.audit'") == 1


def test_a_feature_of_the_app_observes_and_serves(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    app = """+
class Watch:
    def __init__(self, host): note("made", host.config.environment)
    def start(self): note("service started")
    def quiet(self): note("service quiet")
    def stop(self, deadline_s): note("service stopped")

def install(config):
    config.services.append(Watch)
    config.observers.append(lambda payload, elapsed_s, error: note("observed", payload["class"], error))
"""
    run = pillion_run(app=app, environ={"PILLION_FEATURES": "app", "APP_ENV": "test"}).wait_ready()
    ledger.wait_for("service started")  # services are started last
    push("Note", "ran")
    ledger.wait_for("observed app.Note None")
    assert run.stop() == 0
    assert ledger.lines == [
        "made test",
        "service started",
        "ran",
        "observed app.Note None",
        "service quiet",
        "service stopped",
    ]


def deploy(folder: Path, url: str, *args: str) -> subprocess.CompletedProcess[str]:
    environ = clean_environment(folder) | {"REDIS_URL": url, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = [sys.executable, "-m", "pillion", "deploy", "mark", *args]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


class TestCommand:
    def test_marks_a_deploy(self, tmp_path: Path, redis_url: str, raw: redis.Redis) -> None:
        result = deploy(tmp_path, redis_url, "v1.4.2")
        assert (result.returncode, result.stdout) == (0, "Marked: v1.4.2\n")
        (day,) = raw.keys("*-marks")
        assert raw.hvals(day) == [b"v1.4.2"]

    def test_says_so_if_it_was_marked_before(self, tmp_path: Path, redis_url: str) -> None:
        deploy(tmp_path, redis_url, "v1.4.2")
        result = deploy(tmp_path, redis_url, "v1.4.2")
        assert result.returncode == 0
        assert result.stdout.startswith("Not marked, it was marked within the last minute")
        assert result.stdout.endswith(": v1.4.2\n")

    def test_the_second_of_a_minute_is_not_said_to_be_marked_already(self, tmp_path: Path, redis_url: str) -> None:
        marked = [deploy(tmp_path, redis_url, label).stdout for label in ("v1", "v2", "v3")]
        # Three of them: a minute that ends between two of them gives that one a mark, but not all.
        (refused, *_) = [line for line in marked if line.startswith("Not marked")]
        assert "or this minute has another mark" in refused

    def test_outside_of_git_it_wants_a_label(self, tmp_path: Path, redis_url: str) -> None:
        result = deploy(tmp_path, redis_url)
        assert result.returncode == 1
        assert "expected a label, or a git repository with a commit" in result.stderr
        assert "Traceback" not in result.stderr
