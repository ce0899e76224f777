"""Each block of the guide on embedded workers does what the guide says, on a real Redis."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from engine import until
from worker_process import clean_environment

import pillion
from pillion import default
from pillion.config import Config, RedisConfig
from pillion.server.embedded import EmbeddedWorker

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "embedded.md"
BLOCK = re.compile(r"^```python ?(\S*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def block(file: str) -> str:
    """The block that goes into `file`."""
    (text,) = [text for name, text in BLOCK.findall(GUIDE.read_text()) if name == file]
    return str(text)


@pytest.fixture
def home(redis_url):
    default.install(Config(redis=RedisConfig(url=redis_url)))
    yield
    default.reset()


@pytest.fixture
def module(monkeypatch):
    """Where the blocks that belong to no file run, one after the other."""
    module = ModuleType("guide_embedded")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture
def pillion_log():
    """The logger that the guide sets up; it is as before afterwards."""
    logger = logging.getLogger("pillion")
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def run_next(module: ModuleType, place: int) -> dict[str, Any]:
    text = GUIDE.read_text()
    (match,) = [match for match in BLOCK.finditer(text) if not match[1]][place : place + 1]
    line = text[: match.start(2)].count("\n")
    exec(compile("\n" * line + match[2], str(GUIDE), "exec"), module.__dict__)
    return module.__dict__


async def served(app: Any, path: str, until_seen: Any) -> str:
    """The answer to a POST, with the application started and stopped around it."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            answer = (await client.post(path)).text
        await asyncio.to_thread(until, until_seen)
        await default.async_client().storage.close()
    return answer


def test_the_application_of_the_guide_runs_its_jobs(home, module, raw, capsys):
    names = run_next(module, 0)
    seen: list[str] = []

    def printed() -> bool:
        seen.append(capsys.readouterr().out)
        return "receipt for order 42" in "".join(seen)

    answer = asyncio.run(served(names["app"], "/orders/42", printed))
    assert re.fullmatch(r'\{"receipt":"[0-9a-f]{24}"\}', answer)
    assert not names["worker"].running
    names = run_next(module, 1)

    async def own_lifespan() -> bool:
        async with names["app"].router.lifespan_context(names["app"]):
            return bool(names["worker"].running)

    assert asyncio.run(own_lifespan())
    assert not names["worker"].running


def test_configure_and_with(home, module, capsys):
    run_next(module, 0)
    run_next(module, 2)
    assert capsys.readouterr().out.splitlines() == ["the embedded worker begins", "True"]


DJANGO = """
import asyncio
from django.conf import settings
settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__, USE_TZ=True)
urlpatterns = []

{block}

async def live():
    import shop.jobs
    messages = [{{"type": "lifespan.startup"}}]
    sent = asyncio.Queue()
    async def receive():
        if messages:
            return messages.pop()
        shop.jobs.Note.perform_async()
        await asyncio.to_thread(shop.jobs.done.wait)
        return {{"type": "lifespan.shutdown"}}
    await application({{"type": "lifespan"}}, receive, sent.put)
    while not sent.empty():
        print(sent.get_nowait()["type"])

asyncio.run(live())
"""


def test_the_asgi_py_of_the_guide(tmp_path, redis_url):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "jobs.py").write_text(
        "import threading\nfrom pillion import Job\ndone = threading.Event()\n"
        "class Note(Job):\n    def perform(self): done.set()\n"
    )
    (tmp_path / "asgi.py").write_text(DJANGO.format(block=block("asgi.py")))
    environ = clean_environment(tmp_path) | {"REDIS_URL": redis_url}
    result = subprocess.run(
        [sys.executable, "asgi.py"], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.split() == ["lifespan.startup.complete", "lifespan.shutdown.complete"], result.stderr


class Note(pillion.Job):
    def perform(self): ...


class Missing(pillion.Job):
    def perform(self):
        raise LookupError("no such order")


def test_the_lines_for_uvicorn_show_that_a_job_fails(home, pillion_log, capsys):
    exec(block("logs.py"), {})
    seen: list[str] = []

    def shown() -> bool:
        seen.append(capsys.readouterr().out)
        return re.search(rf" jid={jid} .*INFO: fail\n", "".join(seen)) is not None

    jid = Missing.perform_async()
    with EmbeddedWorker():
        until(shown)


def test_the_hooks_for_gunicorn(home, monkeypatch):
    package, module = ModuleType("shop"), ModuleType("shop.worker")
    module.pillion_worker = EmbeddedWorker()
    monkeypatch.setitem(sys.modules, "shop", package)
    monkeypatch.setitem(sys.modules, "shop.worker", module)
    hooks: dict[str, Any] = {}
    exec(block("gunicorn.conf.py"), hooks)
    hooks["post_worker_init"](object())
    assert module.pillion_worker.running
    hooks["worker_exit"](object(), object())
    assert not module.pillion_worker.running


def test_a_script_that_only_starts_it(home, monkeypatch):
    seen = []

    class App:
        def run(self):
            seen.append(names["worker"].running)

    names: dict[str, Any] = {"pillion": pillion, "app": App()}
    exec(block("app.py"), names)
    names["worker"].stop()
    assert seen == [True]


def test_every_parameter_and_method_is_in_the_guide():
    import inspect

    text = GUIDE.read_text()
    parameters = list(inspect.signature(EmbeddedWorker).parameters)
    public = [name for name in vars(EmbeddedWorker) if not name.startswith("_")]
    assert [name for name in (*parameters, *public) if f"`{name}" not in text] == []
