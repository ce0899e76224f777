"""The guide on jobs in processes: its blocks run as they stand, and its jobs in the children of a real worker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_examples import run_page

from pillion import default
from pillion.config import Config

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "processes.md"


@pytest.fixture
def page(redis_url, monkeypatch):
    default.install(Config(redis=redis_url))
    yield lambda: run_page(GUIDE, monkeypatch)
    default.reset()


def test_the_blocks_run_as_they_stand(page, raw):
    names = page()
    assert raw.llen("queue:default") == 4
    error = names["HardTimeout"](30)
    assert names["Convert"].retry_in(0, error, {}) == "kill"
    assert names["RenderReport"].perform_inline(3) is True


def test_the_jobs_of_the_guide_run_in_children(pillion_run, push, raw):
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    source = "\n".join(line for block in blocks for line in block.splitlines() if "perform_async" not in line)
    run = pillion_run("--child-processes", "2", app=source).wait_ready()
    push("RenderReport", 2026)
    push("resize", "a.png", 80)
    push("Convert", "small.pdf")
    push("greet", "ann", locale="de")
    run.wait_log("hallo ann")
    run.wait_log("INFO: done", times=4)
    assert raw.zcard("retry") == 0
    assert run.stop() == 0
