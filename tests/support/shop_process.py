"""The order shop of the examples as real processes: fake services, web, workers, each with a log.

    shop = open_shop()                     # the finished shop, or open_shop("stages.stage_1")
    worker = shop.start_worker("-c", "1")  # a `Run` of worker_process
    number = shop.pages.place_order()

The code of the shop is a copy, so a test may edit it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shop_pages import OrderPage, Pages
from sqlalchemy import create_engine, text
from worker_process import Run, clean_environment, wait_until

from pillion.api import DeadSet, Fleet, ProcessSet, RetrySet, Stats, WorkSet
from pillion.config import Config

EXAMPLE = Path(__file__).parents[2] / "examples" / "order_shop"
FINAL = ""

# The mistake that `Shop.add_bug` makes, and the code without it.
NO_BUG = "    outcome = services.payments()"
BUG = f'    raise RuntimeError("a bug")\n{NO_BUG}'

# Modules for `pillion run -r`. Retries that come at once, or not before the test is over:
SOON = "retry_soon"
LATER = "retry_later"
RETRIES = """
import pillion.server.retry

pillion.server.retry.backoff_s = lambda count: {delay_s}
pillion.server.retry.JITTER_STEP_S = 1
"""


def copy_example(folder: Path) -> Path:
    """A copy of the shop's code, without what was made by running it."""
    copy = folder / "order_shop"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("var", "__pycache__", ".pytest_cache"))
    (copy / f"{SOON}.py").write_text(RETRIES.format(delay_s=1))
    (copy / f"{LATER}.py").write_text(RETRIES.format(delay_s=3600))
    return copy


def start_fakes(folder: Path) -> tuple[Run, str]:
    """Start the fake services; returns their process and where they are."""
    command = [sys.executable, "-m", "shop.serve", "fakes"]
    run = Run(command, copy_example(folder), clean_environment(folder), "fakes")
    return run, wait_url(run, "fakes")


def wait_url(run: Run, name: str) -> str:
    """Where the process says that it listens."""
    run.wait_log(f"{name}: http")
    return re.findall(rf"{name}: (http\S+)", run.log)[0]


class Shop:
    """`stage` is a module with a `create_order` of its own; FINAL is the finished shop."""

    def __init__(self, folder: Path, redis_url: str, database_url: str, fakes_url: str, stage: str = FINAL) -> None:
        self.folder = copy_example(folder)
        self.stage = stage
        self._runs: list[Run] = []
        self._database_url = database_url
        self.environ = clean_environment(folder) | {
            "REDIS_URL": redis_url,
            "DATABASE_URL": database_url,
            "PAYMENTS_API_URL": f"{fakes_url}/payments",
            "EMAIL_API_URL": f"{fakes_url}/email",
            "FULLFILLMENT_API_URL": f"{fakes_url}/fulfillment",
            "ERROR_CATCHER_API_URL": f"{fakes_url}/error-catcher",
            "SHOP_STAGE": stage,
            "APP_ENV": "test",
        }
        self.fakes_url = fakes_url
        self._pages: Pages | None = None
        self.fleet = Fleet(Config(redis=redis_url))

    # -- processes ---------------------------------------------------------------------------------

    def open(self, **environ: str) -> Shop:
        """Make an empty shop, and start its web application with these variables added."""
        self.environ |= environ
        web = self._start("web", "-m", "shop.serve", "web")
        self.command("setup")
        self.url = wait_url(web, "web")
        self._pages = Pages(self.url, self.fakes_url)
        self._pages.clear_services()
        return self

    @property
    def pages(self) -> Pages:
        assert self._pages is not None, "open() comes first"
        return self._pages

    def start_worker(self, *options: str, pillion: tuple[str, ...] = ("-m", "pillion"), **environ: str) -> Run:
        """Start `pillion run` on the jobs of the stage, with the variables added. Returns when it is ready."""
        target = self.stage or "shop.worker"
        return self._start("worker", *pillion, "run", target, *options, **environ).wait_ready()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m shop ARGUMENTS`, which must succeed."""
        result = self.try_command(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result

    def try_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m shop ARGUMENTS`, whatever comes of it."""
        environ = self.environ | ({"SHOP_URL": self.url} if self._pages else {})
        return subprocess.run(
            [sys.executable, "-m", "shop", *arguments],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def close(self) -> None:
        """Kill what is left, and let go of everything."""
        for run in self._runs:
            run.destroy()
        if self._pages is not None:
            self._pages.close()
        self.fleet.close()

    def _start(self, name: str, *arguments: str, **environ: str) -> Run:
        run = Run([sys.executable, *arguments], self.folder, self.environ | environ, f"{name}-{len(self._runs)}")
        self._runs.append(run)
        return run

    # -- what there is to see ----------------------------------------------------------------------

    def wait_complete(self, order_id: int) -> OrderPage:
        """Reload the page of the order until all three steps are done."""
        return self.wait(lambda: (page := self.pages.order(order_id)).is_complete and page, f"order {order_id}")

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until `condition()` is true and return its value."""
        return wait_until(condition, what, self._logs)

    def _logs(self) -> str:
        return "\n\n".join(f"{run.log_path.name}:\n{run.log}" for run in self._runs)

    @property
    def retries(self) -> RetrySet:
        return RetrySet(fleet=self.fleet)

    @property
    def dead(self) -> DeadSet:
        return DeadSet(fleet=self.fleet)

    @property
    def stats(self) -> Stats:
        return Stats(fleet=self.fleet)

    @property
    def works(self) -> WorkSet:
        return WorkSet(fleet=self.fleet)

    @property
    def processes(self) -> ProcessSet:
        return ProcessSet(fleet=self.fleet)

    # -- what a test changes -----------------------------------------------------------------------

    def add_bug(self) -> None:
        """Whoever takes the money raises a RuntimeError "a bug", in workers that start from now on."""
        self._edit(NO_BUG, BUG)

    def mend_bug(self) -> None:
        """The code is as before, for workers that start from now on."""
        self._edit(BUG, NO_BUG)

    def _edit(self, old: str, new: str) -> None:
        path = self.folder / "shop" / "order_steps.py"
        source = path.read_text()
        assert source.count(old) == 1, f"{source.count(old)} times {old!r} in {path.name}"
        path.write_text(source.replace(old, new))

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement on the shop's database; returns its rows."""
        url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", self._database_url)
        engine = create_engine(url)
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement), values)
                return list(result.mappings()) if result.returns_rows else []
        finally:
            engine.dispose()

    def add_product(self, name: str, *, stock: int, price_cents: int) -> None:
        self.sql(
            "INSERT INTO products (name, quantity_remaining, price_cents) VALUES (:name, :stock, :price)",
            name=name,
            stock=stock,
            price=price_cents,
        )


def end_all(runs: list[Run]) -> None:
    """End what `make shop` has started. First by a word: a killed shop leaves its embedded Redis behind."""
    for run in runs:
        if run.pid in run.processes:
            run.stop()
        run.destroy()


def run_quietly(*command: str, cwd: Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=cwd, env=environ or dict(os.environ), capture_output=True, text=True, timeout=600
    )
