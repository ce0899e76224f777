"""The Python blocks of the guides on jobs and middleware run, in order, as they stand there."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from own_home import AsyncRecorder, Recorder

from pillion import default
from pillion.client import AsyncClient, Client
from pillion.config import Config

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


@pytest.fixture
def sent(monkeypatch):
    """What the guide pushed. Its client talks to nobody."""
    sent, sent_async, config = Recorder(), AsyncRecorder(), Config()
    default.install(config, Client(sent, config))
    monkeypatch.setattr(default._default, "_async_client", AsyncClient(sent_async, config))
    sent.asynchronous = sent_async
    yield sent
    default.reset()


def run_guide(name, monkeypatch):
    """Run all blocks of a guide as one module and return its names."""
    text = (GUIDES / name).read_text()
    module = ModuleType(f"guide_{name.removesuffix('.md')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block.group(1), str(GUIDES / name), "exec"), module.__dict__)
    return module.__dict__


def test_the_guide_on_jobs_runs(sent, monkeypatch):
    names = run_guide("jobs.md", monkeypatch)
    asyncio.run(names["checkout"](1))
    assert {payload["queue"] for payload in sent.pushed} == {"high", "mailers", "low", "critical", "default", "ruby"}
    assert [payload["args"] for payload in sent.asynchronous.pushed] == [[1], [1], [1], [2], [3]]


def test_the_guide_on_middleware_runs(sent, monkeypatch):
    names = run_guide("middleware.md", monkeypatch)
    assert names["seen"][1] == "hello ann"
