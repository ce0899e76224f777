"""`make shop`: everything with one command, and nothing is left when it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_pages import Pages
from shop_process import copy_example, end_all
from worker_process import Run, clean_environment, wait_until

ROOT = Path(__file__).parents[2]


class DevShop:
    """`python -m shop.dev` on an embedded Redis and ports that are free."""

    def __init__(self, folder: Path) -> None:
        self.folder = copy_example(folder)
        self.environ = clean_environment(folder) | {"SHOP_PORT": "0", "FAKES_PORT": "0"}
        self._runs: list[Run] = []

    def start(self, *options: str) -> Run:
        command = [sys.executable, "-m", "shop.dev", *options]
        run = Run(command, self.folder, self.environ, f"dev-{len(self._runs)}")
        self._runs.append(run)
        run.wait_log("Ctrl-C stops everything.")
        return run

    def close(self) -> None:
        end_all(self._runs)
        wait_until(lambda: not self.left(), "the end of all processes of the shop")

    def left(self) -> list[str]:
        """The processes that have this folder in their command line or work in it."""
        return [name for name in map(self._name_of, Path("/proc").iterdir()) if name]

    def _name_of(self, process: Path) -> str:
        try:
            if process.name.isdigit() and (process / "cwd").resolve().is_relative_to(self.folder):
                return (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            pass
        return ""


@pytest.fixture
def dev(short_tmp: Path) -> Iterator[DevShop]:
    shop = DevShop(short_tmp)
    yield shop
    shop.close()


def link(run: Run, name: str) -> str:
    return re.findall(rf"^  {name} +(http\S+)", run.log, re.MULTILINE)[0]


def place_and_complete(run: Run) -> None:
    pages = Pages(link(run, "shop"), link(run, "services"))
    try:
        order = pages.place_order()
        wait_until(lambda: pages.order(order).is_complete, "a complete order", lambda: run.log)
    finally:
        pages.close()


def test_ctrl_c_stops_all_that_it_started(dev):
    run = dev.start()
    place_and_complete(run)
    assert "worker |" in run.log
    run.ctrl_c()
    assert run.wait() == 0, run.log
    assert dev.left() == []


def test_orders_are_there_at_the_next_start(dev):
    for number in (1, 2):
        run = dev.start()
        place_and_complete(run)
        pages = Pages(link(run, "shop"), link(run, "services"))
        assert pages.get("/").one("span", data_order_count="").text == str(number)
        pages.close()
        run.signal("TERM")
        assert run.wait() == 0


def test_killed_it_takes_everything_along(dev):
    run = dev.start()
    place_and_complete(run)
    os.kill(run.pid, signal.SIGKILL)
    wait_until(lambda: not dev.left(), "the end of what it had started", lambda: str(dev.left()))


def test_when_one_process_ends_it_says_so_and_stops_the_others(dev):
    run = dev.start()
    place_and_complete(run)
    [web] = [pid for pid in all_pids(dev) if b"shop.serve\0web" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(web, signal.SIGKILL)
    assert run.wait() != 0
    assert "web has ended" in run.log
    assert dev.left() == []


def all_pids(dev: DevShop) -> list[int]:
    return [int(process.name) for process in Path("/proc").iterdir() if dev._name_of(process)]


def test_a_port_that_is_taken_is_named(dev):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = Run([sys.executable, "-m", "shop.dev"], dev.folder, dev.environ | {"SHOP_PORT": port}, "refused")
        assert run.wait() == 1
        run.destroy()
    assert f"Port {port} cannot be used" in run.log
    assert "SHOP_PORT" in run.log


@pytest.mark.parametrize("port", ["web", "-1", "99999"])
def test_a_port_that_is_none_is_named(dev, port):
    run = Run([sys.executable, "-m", "shop.dev"], dev.folder, dev.environ | {"SHOP_PORT": port}, "refused")
    assert run.wait() == 1
    run.destroy()
    assert f"Port {port} cannot be used" in run.log
    assert "Traceback" not in run.log


def test_a_stage_that_there_is_not_is_refused_with_those_that_there_are(dev):
    run = Run([sys.executable, "-m", "shop.dev", "--stage", "9"], dev.folder, dev.environ, "refused")
    assert run.wait() == 2
    run.destroy()
    assert "'9' is not one of '0', '1', '2a', '2b', '3', '4', '5', '6'" in run.log
    assert not (dev.folder / "var").exists(), "nothing was made"


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (["shop"], "python -m shop.dev"),
        (["shop", "STAGE=2a"], "python -m shop.dev --stage 2a"),
        (["shop-load"], "python -m shop load"),
        (["shop-load", "ORDERS=50"], "python -m shop load --orders 50"),
    ],
)
def test_make_runs_it(target, command):
    make = ["make", "-n", "--no-print-directory", *target]  # it tells its folder where a `make test` is around it
    shown = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.strip().endswith(command)
