"""Takes the pictures of docs/screenshots: every page, light and dark, full and empty.

    python examples/dashboard/screenshots.py            # all of them
    python examples/dashboard/screenshots.py retries    # those whose name has this in it

Starts a Redis of its own, fills it with `sample_fleet`, serves the real application and opens it in Chromium.
Needs redis-server, chromium (CHROMIUM names another), and the packages playwright and Pillow, which makes them small.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
import sample_fleet
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from pillion.config import Config
from pillion.web import User, app

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
MOST_HEIGHT = 1500
COLOURS = 255


@dataclass(frozen=True)
class Shot:
    """One picture. `act` does something on the page first."""

    name: str
    path: str
    empty: bool = False
    act: Callable[[Page], None] | None = None
    width: int = 1280
    locale: str = "en"


def tick_some(page: Page) -> None:
    for box in page.locator("tbody input[type=checkbox]").all()[:3]:
        box.check()


def ask_to_delete(page: Page) -> None:
    page.locator("tbody tr").first.locator(".danger").click()
    page.locator("#ask[open]").wait_for()


def open_first(page: Page) -> None:
    page.locator("tbody a.job").first.click()
    page.wait_for_load_state()


def show_keys(page: Page) -> None:
    page.keyboard.press("?")


SHOTS = (
    Shot("dashboard", "/"),
    Shot("dashboard-empty", "/", empty=True),
    Shot("dashboard-phone", "/", width=360),
    Shot("busy", "/busy"),
    Shot("busy-empty", "/busy", empty=True),
    Shot("queues", "/queues"),
    Shot("queues-empty", "/queues", empty=True),
    Shot("queue", "/queues/mail"),
    Shot("retries", "/retries"),
    Shot("retries-list", "/retries?view=list", act=tick_some),
    Shot("retries-arabic", "/retries", locale="ar"),
    Shot("retries-empty", "/retries", empty=True),
    Shot("confirm", "/retries", act=ask_to_delete),
    Shot("scheduled", "/scheduled"),
    Shot("scheduled-empty", "/scheduled", empty=True),
    Shot("dead", "/dead?view=list"),
    Shot("dead-empty", "/dead", empty=True),
    Shot("job", "/retries?view=list", act=open_first),
    Shot("metrics", "/metrics"),
    Shot("metrics-empty", "/metrics", empty=True),
    Shot("metrics-job", "/metrics/PaymentJob"),
    Shot("search", "/search?q=PaymentJob"),
    Shot("audit", "/audit"),
    Shot("not-found", "/nowhere"),
    Shot("keys", "/queues", act=show_keys),
)


@contextmanager
def redis_server(port: int) -> Iterator[str]:
    """A Redis with nothing in it; its URL."""
    with tempfile.TemporaryDirectory(prefix="pl-shots-") as folder:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--dir", folder, "--save", ""], stdout=subprocess.DEVNULL
        )
        url = f"redis://localhost:{port}/0"
        try:
            wait_for(redis.Redis.from_url(url))
            yield url
        finally:
            server.terminate()
            server.wait()


def wait_for(client: redis.Redis) -> None:
    """Until it answers."""
    for _ in range(100):
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)


def nearly_full(client: redis.Redis) -> None:
    """Somebody else keeps something large there, and Redis may throw keys away."""
    client.setrange("shop:cache", 60_000_000, b"x")
    used = client.info("memory")["used_memory"]
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", int(used / 0.91))


@contextmanager
def dashboard(redis_url: str) -> Iterator[str]:
    """The dashboard of that Redis; its address."""
    site = app(auth=lambda _visitor: User("ana", "admin"), environment="prod", config=Config(redis=redis_url))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(site, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def take(browser: Browser, origin: str, shot: Shot, scheme: str) -> Path:
    """One picture of one page."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": 800},
        color_scheme=scheme,
        locale=shot.locale,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.on("console", lambda message: complain(shot, message))
    page.goto(origin + shot.path)
    if shot.act:
        shot.act(page)
    page.mouse.move(0, 0)
    height = min(MOST_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": shot.width, "height": max(480, height)})
    path = FOLDER / f"{shot.name}-{scheme}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    context.close()
    shrink(path)
    return path


def complain(shot: Shot, message: ConsoleMessage) -> None:
    """An error of a script, or something the content security policy stopped, is no picture for the docs."""
    if message.type == "error" and shot.name != "not-found":
        sys.exit(f"{shot.name}: {message.text}")


def shrink(path: Path) -> None:
    """Fewer colours: nobody sees it, and the file is a third."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main(wanted: str = "") -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        full_url, empty_url = (stack.enter_context(redis_server(port)) for port in (6390, 6391))
        client = redis.Redis.from_url(full_url)
        sample_fleet.fill(client, time.time())
        nearly_full(client)
        origins = {empty: stack.enter_context(dashboard(url)) for empty, url in ((False, full_url), (True, empty_url))}
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        stack.callback(browser.close)
        for shot in (shot for shot in SHOTS if wanted in shot.name):
            for scheme in ("light", "dark"):
                sample_fleet.beat(client, time.time())
                path = take(browser, origins[shot.empty], shot, scheme)
                print(f"{path.name:32} {path.stat().st_size // 1024:4} KB")


if __name__ == "__main__":
    main(*sys.argv[1:])
