"""The Python blocks of the guide on logging run, in order, and log what the guide says."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from own_home import Recorder

from pillion import default, log
from pillion.client import Client
from pillion.config import Config

GUIDE = Path(__file__).parents[2] / "docs/guides/logging.md"


@pytest.fixture
def _loggers_as_before():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger(log.JOB_LOGGER).setLevel(logging.NOTSET)


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch, _loggers_as_before: None) -> dict[str, Any]:
    """The names that the blocks define. What they push is only kept."""
    recorder, config = Recorder(), Config()
    default.install(config, Client(recorder, config))
    module = ModuleType("guide_on_logging")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for code in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    yield {**module.__dict__, "pushed": recorder.pushed}
    default.reset()


def messages(guide: dict[str, Any], payload: dict[str, Any], *args: Any) -> list[str]:
    """What a run of the job logs in a process at INFO, without time, pid and tid."""
    stream = io.StringIO()
    log.setup("info", "text", stream, {"DYNO": "x"})
    token = log.JobLog(logging.getLogger("pillion"), Config()).enter(payload)
    guide[payload["class"]]().perform(*args)
    log.JobLog(logging.getLogger("pillion"), Config()).leave(token)
    return [re.sub(r"^pid=\d+ tid=\w+ ", "", line) for line in stream.getvalue().splitlines()]


def test_each_line_of_a_job_names_it(guide):
    assert messages(guide, {"class": "CompleteOrder", "jid": "a66"}, 42) == [
        "class=CompleteOrder jid=a66 INFO: checking",
        "class=CompleteOrder jid=a66 INFO: a library logs like this",
        "class=CompleteOrder jid=a66 order=42 INFO: paid",
    ]


def test_one_class_may_have_a_level_of_its_own(guide):
    payload = {"class": "Import", "jid": "a66", **guide["Import"].__job__.options}
    assert messages(guide, payload) == ["class=Import jid=a66 DEBUG: this is shown, in a process that logs at INFO"]


def test_one_push_may_have_one_too(guide):
    assert [payload["log_level"] for payload in guide["pushed"]] == ["error"]


def test_opened_positions_are_shown(guide):
    payload = {"args": [1, "DE", "Ann", "DHL"], **guide["Ship"].__job__.options}
    facts = log.JobLog(logging.getLogger("pillion"), Config()).context(payload)
    assert facts["args"] == [1, "DE", "[FILTERED]", "DHL"]


def test_the_formatter_works_in_a_set_up_of_ones_own(guide, capsys):
    handler = next(each for each in logging.getLogger().handlers if isinstance(each.formatter, log.JsonFormatter))
    record = logging.LogRecord("app", logging.INFO, "", 1, "hello", (), None)
    assert json.loads(handler.format(record))["msg"] == "hello"
