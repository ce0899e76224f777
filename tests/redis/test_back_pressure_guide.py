"""The blocks of the guide on back pressure run, in order, as they stand there, against a real Redis."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pillion import default
from pillion.config import Config, QueueLimit, RedisConfig
from pillion.settings.sources import load_config

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "back-pressure.md"


def blocks(language):
    return re.finditer(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(redis_url, raw, monkeypatch):
    """What the guide defines, after it has run."""
    default.install(Config(redis=RedisConfig(url=redis_url)))
    module = ModuleType("guide_back_pressure")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks("python"):
        line = GUIDE.read_text()[: block.start(1)].count("\n")
        exec(compile("\n" * line + block.group(1), str(GUIDE), "exec"), module.__dict__)
    yield module.__dict__
    default.reset()


async def status_of(app, path):
    sent = []

    async def send(message):
        sent.append(message)

    await app({"type": "http", "path": path}, None, send)
    return sent[0]["status"]


def test_the_guide_fills_its_queue_and_the_application_answers_503(names, raw):
    async def visit():
        return (
            await names["import_products"](),
            await status_of(names["app"], "/"),
            await status_of(names["app"], "/health"),
        )

    assert raw.llen("queue:thumbnails") == 3
    assert asyncio.run(visit()) == (1.0, 503, 200)


def test_the_toml_of_the_guide_loads(tmp_path):
    (block,) = blocks("toml")
    (tmp_path / "pillion.toml").write_text(block.group(1))
    assert load_config({}, {}, tmp_path).config.queue_limits == {
        "thumbnails": QueueLimit(max_size=1000),
        "mailers": QueueLimit(max_latency_s=60, on_full="drop"),
    }
