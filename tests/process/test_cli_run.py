"""`pillion run` from the outside: flags, files, log lines, the banner (F038, F047 to F050, F070, F224 to F227)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from worker_process import clean_environment, write_app

LOGGING_APP = """+
import asyncio, logging

class Talk(Job):
    def perform(self):
        self.logger.info("inside")

class Later(Job):
    async def perform(self):
        await asyncio.sleep(0)
        logging.getLogger("some.library").info("inside")

class Chatty(Job, log_level="debug"):
    def perform(self):
        self.logger.debug("detail")

class Fail(Job):
    def perform(self):
        raise ValueError("no")

class Overlap(Job, queue="one_at_a_time"):
    running = 0
    def perform(self):
        Overlap.running += 1
        note("running", Overlap.running)
        time.sleep(0.002)
        Overlap.running -= 1
"""


def job_lines(log: str, jid: str) -> list[str]:
    return [line for line in log.splitlines() if jid in line]


class TestFlagsAndFiles:
    def test_a_queue_and_one_thread_run_one_job_at_a_time(self, pillion_run, push, ledger):
        for _ in range(30):
            push("Overlap", queue="one_at_a_time")
        push("Note", "other")
        pillion_run("-q", "one_at_a_time", "-c", "1", app=LOGGING_APP)
        ledger.wait_for("running 1", times=30)
        assert set(ledger.lines) == {"running 1"}

    def test_a_settings_file_names_queues_threads_and_modules(self, pillion_run, push, ledger, tmp_path):
        (tmp_path / "pillion.toml").write_text('require = ["app"]\nqueues = ["high"]\nconcurrency = 3')
        run = pillion_run(target="").wait_ready()
        push("Note", "from the file", queue="high")
        ledger.wait_for("from the file")
        assert "3 jobs at a time from high" in run.log

    def test_a_ruby_file_is_found_and_a_flag_beats_it(self, pillion_run, tmp_path):
        (tmp_path / "config").mkdir()
        (tmp_path / "config/sidekiq.yml").write_text(
            ":concurrency: <%= ENV.fetch('THREADS') { 7 } %>\n:queues:\n  - [high, 2]\n  - [low, 1]\n:pidfile: x\n"
        )
        log = pillion_run("-c", "1").wait_ready().log
        assert "1 jobs at a time from high,2, low,1" in log
        assert "pidfile has no effect" in log

    def test_the_environment_section_counts(self, pillion_run, tmp_path):
        (tmp_path / "pillion.toml").write_text("concurrency = 2\n[environments.production]\nconcurrency = 4\n")
        log = pillion_run("-e", "production").wait_ready().log
        assert "4 jobs at a time" in log
        assert "in production" in log


class TestMistakes:
    def ended(self, run) -> tuple[int, str]:
        return run.wait(), run.log

    def test_an_unknown_key_in_the_settings_file(self, pillion_run, tmp_path):
        (tmp_path / "pillion.toml").write_text("concurency = 5")
        code, log = self.ended(pillion_run())
        assert code == 1
        assert log == (
            "pillion: pillion.toml: expected only options that exist, got 'concurency'. Did you mean concurrency?\n"
        )

    def test_a_queue_name_that_cannot_be(self, pillion_run):
        code, log = self.ended(pillion_run("-q", "a b"))
        assert code == 1
        assert log.startswith("pillion: --queue: expected letters, digits and _ : . - only, got 'a b'")

    def test_no_target(self, pillion_run):
        code, log = self.ended(pillion_run(target=""))
        assert code == 2
        assert "pillion run shop.jobs" in log

    def test_a_data_folder_that_cannot_be_used(self, pillion_run, tmp_path):
        (tmp_path / "file").touch()
        code, log = self.ended(pillion_run(redis_url="", environ={"PILLION_DATA_DIR": str(tmp_path / "file")}))
        assert code == 1
        assert str(tmp_path / "file") in log
        assert "PILLION_DATA_DIR" in log


class TestLogLines:
    @pytest.fixture
    def run(self, pillion_run):
        def start(*args: str, **environ: str):
            return pillion_run(*args, app=LOGGING_APP, environ=environ).wait_ready()

        return start

    def test_a_good_job_is_start_and_done_and_its_own_lines_between(self, run, push):
        worker = run()
        jid = push("Talk")
        worker.wait_log("INFO: done")
        start, inside, done = job_lines(worker.log, jid)
        prefix = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z pid=\d+ tid=[0-9a-z]+ class=app\.Talk jid=" + jid
        assert re.fullmatch(prefix + " INFO: start", start)
        assert re.fullmatch(prefix + " INFO: inside", inside)
        assert re.fullmatch(prefix + r" elapsed=\d+\.\d+ INFO: done", done)

    def test_a_library_called_by_an_async_job_logs_with_its_jid(self, run, push):
        worker = run()
        jid = push("Later")
        worker.wait_log("INFO: done")
        assert [line.rpartition("INFO: ")[2] for line in job_lines(worker.log, jid)] == ["start", "inside", "done"]

    def test_a_job_may_have_a_level_of_its_own(self, run, push):
        worker = run()
        jid = push("Chatty", log_level="debug")
        worker.wait_log("INFO: done")
        assert any("DEBUG: detail" in line for line in job_lines(worker.log, jid))

    def test_a_failed_job_is_start_and_fail(self, run, push):
        worker = run()
        jid = push("Fail")
        worker.wait_log(" INFO: fail")
        assert [line.rpartition("INFO: ")[2] for line in job_lines(worker.log, jid)][:2] == ["start", "fail"]

    def test_json_lines_have_duration_and_cpu_time(self, run, push):
        worker = run("--log-format", "json")
        jid = push("Talk")
        worker.wait_log('"msg": "done"')
        lines = [json.loads(line) for line in worker.log.splitlines()]
        done = next(line for line in lines if line["msg"] == "done")
        assert {"class": "app.Talk", "jid": jid, "queue": "default"}.items() <= done["ctx"].items()
        assert isinstance(done["duration"], float)
        assert isinstance(done["cpu_s"], float)

    def test_dyno_leaves_the_time_to_the_platform(self, run):
        assert all(line.startswith("pid=") for line in run(DYNO="worker.1").log.splitlines())

    def test_a_quiet_level_leaves_the_jobs_out(self, pillion_run, push, ledger):
        worker = pillion_run(environ={"PILLION_LOG_LEVEL": "warn"})
        push("Note", "quietly")
        ledger.wait_for("quietly")
        assert worker.stop() == 0
        assert worker.log == ""


class TestBanner:
    def test_a_terminal_shows_it_without_passwords(self, tmp_path: Path, own_redis):
        """A pseudo-terminal stands in for the person's."""
        with own_redis.client() as client:
            client.config_set("requirepass", "geheim")
        write_app(tmp_path, None)
        environ = clean_environment(tmp_path) | {"REDIS_URL": f"unix://:geheim@{own_redis.socket}"}
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "pillion", "run", "app", "-q", "high,2", "-c", "3"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            shown = read_until(ours, b"ready: ")
            process.terminate()
            shown += read_until(ours, b"")
        os.close(ours)
        assert f"Redis        {own_redis.socket}" in shown
        assert "Queues       high (2), 3 jobs at a time" in shown
        assert "Ctrl-C" in shown
        assert "geheim" not in shown

    def test_a_pipe_does_not(self, pillion_run):
        assert "Ctrl-C" not in pillion_run().wait_ready().log


def read_until(terminal: int, mark: bytes) -> str:
    """What is shown until `mark` has come; until the other side closes if `mark` is empty."""
    shown = b""
    while not mark or mark not in shown:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody holds the other side any more
            break
        if not chunk:
            break
        shown += chunk
    return shown.decode(errors="replace")
