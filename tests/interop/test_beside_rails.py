"""examples/beside_rails does what docs/guides/beside-rails.md says, with real Sidekiq and real Pillion.

The commands are those of the guide, in a copy of the folder. Only what names Redis and folders is set here.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from ruby_process import find_ruby
from worker_process import Run, clean_environment, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "beside_rails"
GUIDE = (ROOT / "docs" / "guides" / "beside-rails.md").read_text()
README = (EXAMPLE / "README.md").read_text()
# A line above a block says which file it shows.
SHOWN = re.findall(r"^`examples/beside_rails/(\S+)`:\n\n```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    return re.findall(r"^\$ (.*?)(?:\s{2,}#.*)?$", page, re.MULTILINE)


class Shop:
    """The company: a copy of the example, and who works in it."""

    def __init__(self, folder: Path, redis_url: str, raw) -> None:
        find_ruby()
        self.folder = folder / "shop"
        shutil.copytree(EXAMPLE, self.folder)
        self.raw = raw
        self.runs: list[Run] = []
        self._environ = clean_environment(folder) | {"REDIS_URL": redis_url}

    def command(self, beginning: str) -> list[str]:
        """The command of the guide that begins so, for this interpreter."""
        words = shlex.split(next(each for each in commands(GUIDE) if each.startswith(beginning)))
        return [sys.executable, "-m", *words] if words[0] == "pillion" else words

    def start(self, beginning: str, **environ: str) -> Run:
        """Start a worker and wait until it has registered in Redis."""
        before = self.raw.smembers("processes")
        run = Run(self.command(beginning), self.folder, self._environ | environ, f"run-{len(self.runs)}")
        self.runs.append(run)
        wait_until(lambda: self.raw.smembers("processes") - before, "a registered worker", lambda: run.log)
        return run

    def type(self, command: list[str], **environ: str) -> str:
        """Carry out a command and return what it prints."""
        result = subprocess.run(
            command, cwd=self.folder, env=self._environ | environ, capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def ruby(self, code: str, **environ: str) -> str:
        """Run Ruby with the classes of the shop."""
        return self.type([find_ruby(), "-r", "./ruby/orders.rb", "-e", code], **environ)

    def ledger(self, file: str) -> list[dict]:
        path = self.folder / file
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, file: str, count: int) -> list[dict]:
        """Wait until a ledger has so many lines."""
        return wait_until(
            lambda: len(seen := self.ledger(file)) >= count and seen, f"{count} lines in {file}", self.log
        )

    def log(self) -> str:
        return "\n".join(run.log[-3000:] for run in self.runs)

    def stop(self) -> None:
        """TERM for all, and wait: what they have counted is in Redis then."""
        for run in self.runs:
            run.stop()
            run.destroy()
        self.runs.clear()

    def destroy(self) -> None:
        for run in self.runs:
            run.destroy()


@pytest.fixture
def shop(tmp_path, redis_url, raw):
    opened = Shop(tmp_path, redis_url, raw)
    yield opened
    opened.destroy()


@pytest.fixture
def open_shop(shop):
    """A shop with a worker of each language."""
    shop.start("sidekiq")
    shop.start("pillion run")
    return shop


class TestTheGuide:
    def test_it_shows_every_source_file(self):
        files = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*.*") if "__pycache__" not in path.parts}
        assert {name for name, _ in SHOWN} == files - {"README.md"}

    @pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
    def test_a_file_is_shown_as_it_is(self, name, text):
        assert (EXAMPLE / name).read_text() == text

    def test_the_readme_has_the_commands_of_the_guide(self):
        assert commands(README)
        assert set(commands(README)) <= set(commands(GUIDE))


class TestAnOrder:
    def test_it_goes_from_ruby_to_python_and_back(self, open_shop):
        open_shop.type(open_shop.command("ruby -r"))
        (forecast,) = open_shop.wait_for("forecasts.jsonl", 1)
        (completed,) = open_shop.wait_for("completed.jsonl", 1)
        assert forecast == {"order": 1, "price_cents": 2700, "attempt": 0}
        assert (completed["order"], completed["price_cents"]) == (1, 2700)

    def test_one_that_fails_in_python_is_retried_there_and_completed_in_ruby(self, open_shop):
        open_shop.ruby('Orders.take(7, "teapot", 1)')
        (completed,) = open_shop.wait_for("completed.jsonl", 1)
        assert open_shop.ledger("forecasts.jsonl") == [{"order": 7, "price_cents": 2900, "attempt": 1}]
        assert completed["order"] == 7

    def test_each_is_completed_once_and_the_counters_of_both_add_up(self, open_shop, raw):
        orders = [(number, "teapot" if number % 10 == 0 else "cup") for number in range(1, 31)]
        open_shop.ruby(";".join(f'Orders.take({number}, "{item}", 2)' for number, item in orders))
        for file in ("forecasts.jsonl", "completed.jsonl", "receipts.jsonl"):
            seen = Counter(line["order"] for line in open_shop.wait_for(file, len(orders)))
            assert seen == dict.fromkeys(range(1, 31), 1), file
        open_shop.stop()
        failed = 3  # the teapots, once each
        assert (int(raw.get("stat:failed")), int(raw.get("stat:processed"))) == (failed, 3 * len(orders) + failed)


class TestOneDashboard:
    @pytest.fixture
    def page(self, shop):
        """What dashboard.ru shows."""
        look = """require "rack"; require "rack/mock"
        app, _ = Rack::Builder.parse_file("ruby/dashboard.ru")
        print Rack::MockRequest.new(app.respond_to?(:call) ? app : app.to_app).get(ENV.fetch("PAGE")).body"""
        return lambda path: shop.type([find_ruby(), "-e", look], PAGE=path)

    def test_it_shows_the_workers_of_both(self, open_shop, page):
        shown = page("/busy")
        pids = {name.decode().split(":")[-2] for name in open_shop.raw.smembers("processes")}
        assert len(pids) == 2
        assert [pid for pid in pids if pid not in shown] == []

    def test_it_shows_what_failed_in_python_before_it_is_retried(self, shop, page):
        shop.start("pillion run")
        shop.ruby('Orders.take(1, "jug", 1)')
        wait_until(lambda: shop.raw.zcard("retry"), "a retry", shop.log)
        shown = page("/retries")
        assert "Pricing::ForecastJob" in shown
        assert "KeyError" in shown

    def test_sidekiq_6_4_takes_the_times_of_python_for_seconds(self, both):
        both.push("Pricing::ForecastJob", queue="python")
        year, latency_s = both.ruby("q = Sidekiq::Queue.new('python'); [q.first.created_at.year, q.latency]")
        assert year > 9999
        assert latency_s < 0


class TestOneScheduler:
    # One look of Ruby's scheduler, in a process that is a worker to Sidekiq.
    LOOK = """require "sidekiq/cli"; require "sidekiq/scheduled"
    load "ruby/orders.rb"
    Sidekiq::Scheduled::Poller.new.enqueue"""

    @pytest.fixture
    def due(self, shop, both):
        """A job of Python that is due."""
        both.push("Pricing::ForecastJob", 1, "cup", 1, queue="python", at=1)
        return lambda: (shop.raw.zcard("schedule"), shop.raw.llen("queue:python"))

    def test_ruby_promotes_jobs_of_python(self, shop, due):
        shop.type([find_ruby(), "-e", self.LOOK])
        assert due() == (0, 1)

    def test_ruby_loses_a_job_whose_middleware_raises_while_it_is_promoted(self, shop, due):
        with (shop.folder / "ruby" / "orders.rb").open("a") as source:
            source.write("class Raises; def call(*); raise 'no such class'; end; end\n")
            source.write("Sidekiq.client_middleware { |chain| chain.add Raises }\n")
        shop.type([find_ruby(), "-e", self.LOOK])
        assert due() == (0, 0)

    def test_ruby_can_leave_it_to_pillion(self, shop, due):
        (leave_it,) = re.findall(r"^```ruby\n(class LeaveItToPillion.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
        with (shop.folder / "ruby" / "orders.rb").open("a") as source:
            source.write(leave_it)
        shop.type([find_ruby(), "-e", self.LOOK])
        assert due() == (1, 0)
        shop.start("pillion run")
        assert shop.wait_for("forecasts.jsonl", 1)[0]["order"] == 1
        shop.stop()  # before `due` is closed, which waits until no worker listens any more


class TestMovingAJob:
    """Receipts move from Ruby to Python: the same name on both sides, and the queue decides."""

    def test_the_queue_says_who_runs_it_and_back_again(self, open_shop):
        push = "Orders::ReceiptJob.perform_async({})"
        open_shop.ruby(push.format(1))
        open_shop.wait_for("receipts.jsonl", 1)
        open_shop.ruby(push.format(2), RECEIPTS_QUEUE="python")
        open_shop.wait_for("receipts.jsonl", 2)
        open_shop.ruby(push.format(3), RECEIPTS_QUEUE="default")
        assert [line["by"] for line in open_shop.wait_for("receipts.jsonl", 3)] == ["ruby", "python", "ruby"]

    def test_one_is_pushed_by_hand_to_python_first(self, open_shop):
        open_shop.type(open_shop.command("pillion push"))
        assert open_shop.wait_for("receipts.jsonl", 1) == [{"order": 42, "by": "python"}]

    def test_what_is_left_for_ruby_is_found(self, shop):
        shop.ruby("Orders::ReceiptJob.perform_async(7); Orders::ReceiptJob.perform_in(600, 8)")
        shop.ruby("Orders::ReceiptJob.perform_async(9)", RECEIPTS_QUEUE="python")
        shown = shop.type([*shop.command("pillion jobs find"), "--json"])
        left = [json.loads(line) for line in shown.splitlines()]
        assert {job["place"]: job["job"]["args"] for job in left} == {"queue:default": [7], "scheduled": [8]}

    def test_what_python_cannot_run_is_taken_back_as_a_whole(self, shop):
        shop.ruby("[1, 2].each { |n| Orders::ReceiptJob.perform_async(n) }", RECEIPTS_QUEUE="python")
        shop.ruby("Orders::ReceiptJob.perform_in(1, 3)", RECEIPTS_QUEUE="python")
        shop.type(shop.command("pillion queues migrate"))
        shop.start("sidekiq")
        seen = shop.wait_for("receipts.jsonl", 3)
        assert sorted((line["order"], line["by"]) for line in seen) == [(1, "ruby"), (2, "ruby"), (3, "ruby")]

    def test_what_was_scheduled_before_stays_with_ruby(self, open_shop):
        open_shop.ruby("Orders::ReceiptJob.perform_in(0.5, 1)")
        open_shop.ruby("Orders::ReceiptJob.perform_in(0.5, 2)", RECEIPTS_QUEUE="python")
        assert {line["order"]: line["by"] for line in open_shop.wait_for("receipts.jsonl", 2)} == {
            1: "ruby",
            2: "python",
        }


def test_the_settings_file_counts_for_both(shop):
    shop.start("sidekiq", SIDEKIQ_CONCURRENCY="3")
    shop.start("pillion run", SIDEKIQ_CONCURRENCY="3")
    infos = [json.loads(shop.raw.hget(name, "info")) for name in shop.raw.smembers("processes")]
    assert sorted((info["queues"], info["concurrency"]) for info in infos) == [(["default"], 3), (["python"], 3)]
